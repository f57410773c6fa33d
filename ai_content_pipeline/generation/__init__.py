"""The one door through which money leaves: keys, the state machine, the journal, stored results."""
