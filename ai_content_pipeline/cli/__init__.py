"""The command line: one file a command, `console` for all that is shown, `app` for the way in and out."""
