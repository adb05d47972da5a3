//! `hangdog flake`: the same command again and again, each run recorded, until what differs is established.
//!
//! ```text
//! plan ──▶ trial: fresh directories, `hangdog internal-trial`, capture ──▶ sketch ──┐
//!   ▲                                                                              ├──▶ compare ──▶ report
//!   └──────────── who failed, by which seed ◀──────────────────────────────────────┘
//! ```
//!
//! | to know | look in |
//! | --- | --- |
//! | which runs are disturbed, and by what seed | `plan` |
//! | where it is worth making somebody late | `leads` |
//! | one run: its directories, its process, what is left of it | `trial`, `room` |
//! | what it does not share with the runs before it | `own` |
//! | when there is enough, and what is said at the end | `series` |

mod leads;
mod load;
pub(crate) mod own;
mod plan;
mod room;
mod series;
mod trial;

pub(crate) use load::{Arguments as LoadArguments, perform as be_load};
pub(crate) use plan::{Perturb, Plan};
pub(crate) use room::House;
pub(crate) use series::{Series, Told, Until, not_compared, number, summary};
pub(crate) use trial::Task;
