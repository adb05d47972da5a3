//! What each verb does, a file each.

pub(crate) mod attach;
pub(crate) mod clean;
pub(crate) mod completions;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod dump;
pub(crate) mod flake;
pub(crate) mod internal_put;
pub(crate) mod internal_trial;
pub(crate) mod phase;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod schema;
