//! The tools of the fault suite.
