"""The pure floor: values, patterns, the Policy and the Judge.  No input, no output, no clock."""
