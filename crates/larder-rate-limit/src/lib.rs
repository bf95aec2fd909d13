//! Rate limits for tower services on any larder store: GCRA as one atomic step.
