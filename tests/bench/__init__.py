"""The figures of `make bench`: what the filter costs, against references measured in the same run."""
