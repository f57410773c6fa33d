"""Where media is made: one file per vendor, each satisfying `protocol.Provider`."""
