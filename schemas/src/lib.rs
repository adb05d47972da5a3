//! What a capture and a report are: types, ids, versions, reading and writing of `.hang` files.
//!
//! | to know | look in |
//! | --- | --- |
//! | the lines of a capture | [`record`] |
//! | what a snapshot sees | [`fact`] |
//! | what the kernel's recorder sees | [`kernel_event`] |
//! | system calls with the names that they were given | [`call`] |
//! | what a report says | [`report`] |
//! | what many runs of one command differ in | [`comparison`] |
//! | what is done to a run so that it fails, and where | [`disturbance`], [`visit`] |
//! | names of resources | [`resource`] |
//! | processes, threads, facts as ids | [`id`] |
//! | the time line | [`time`] |
//! | the file itself, its frames and its index | [`mod@file`] |
//! | traced locks and channels | [`primitive`] |
//! | what is left out of a capture | [`redact`] |
//! | JSON Schema of the lines and of the report | [`json_schema`] |
//!
//! Not here: paths, clocks, `/proc`, conclusions.

pub mod action;
pub mod call;
pub mod comparison;
pub mod confidence;
pub mod disturbance;
pub mod fact;
pub mod file;
pub mod file_event;
pub mod id;
pub mod json_schema;
pub mod kernel_event;
pub mod observed;
pub mod phase_line;
pub mod primitive;
pub mod record;
pub mod redact;
pub mod report;
pub mod resource;
#[doc(hidden)]
pub mod sample;
pub mod time;
pub mod version;
pub mod visit;

pub use comparison::{Comparison, Difference, DifferenceRole, FailedRun, Rate, Reproduced};
pub use confidence::Confidence;
pub use disturbance::{Aim, Disturbance, Hold};
pub use id::{
    Address, Big, Device, FactRef, Fd, FuseConnection, Inode, PhaseId, Pid, ProcessId, SnapshotId, ThreadId, Tid,
};
pub use observed::Observed;
pub use record::{Record, RunHeader, Watched};
pub use report::{Actor, Edge, Evidence, Finding, FindingKind, Report, Resource, RunSummary};
pub use resource::{BadResourceKey, ResourceKey};
pub use time::{ClockAnchor, RunNs, When};
pub use version::{CAPTURE_VERSION, REPORT_VERSION, Readable, Version};
pub use visit::Place;
