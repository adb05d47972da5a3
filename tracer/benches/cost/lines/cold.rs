//! What is recorded now and then finds nothing of it in the caches.

use hangdog_tracer::{open_phase, phase};
use tracing_subscriber::prelude::*;

use super::stacks::{self, Ignores};
use crate::line::{Line, Target};
use crate::work::{each_cold, pair, recorded};

const REGISTRY: &str = "cold: Registry + no-op layer";

pub(crate) const LINES: &[Line] = &[
    Line::new("cold: `phase!`", |effort| {
        recorded(each_cold(effort, |number, text| {
            let _outer = phase!("outer", number, text);
            let _inner = phase!("inner", number, text);
        }))
    })
    .wanted(Target::itself(50.0)),
    Line::new("cold: `open_phase!`", |effort| {
        recorded(each_cold(effort, |number, text| {
            let _outer = open_phase!("outer", number, text);
            let _inner = open_phase!("inner", number, text);
        }))
    })
    .wanted(Target::itself(50.0)),
    Line::new("cold: tracing, subscriber that ignores all", |effort| {
        tracing::subscriber::set_global_default(Ignores::new()).map_err(|error| error.to_string())?;
        Ok(each_cold(effort, pair))
    }),
    Line::new(REGISTRY, |effort| {
        stacks::registry().init();
        Ok(each_cold(effort, pair))
    }),
    Line::new("cold: Registry + hangdog layer", |effort| {
        tracing_subscriber::registry().with(hangdog_tracer::layer()).init();
        recorded(each_cold(effort, pair))
    })
    .beside(REGISTRY),
    Line::new("cold: hangdog subscriber, alone", |effort| {
        hangdog_tracer::subscriber().init();
        recorded(each_cold(effort, pair))
    })
    .beside(REGISTRY),
    Line::new("cold: Registry + fmt", |effort| {
        tracing_subscriber::registry().with(stacks::log()).init();
        Ok(each_cold(effort, pair))
    })
    .beside(REGISTRY),
];
