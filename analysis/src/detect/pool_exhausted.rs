//! `pool-exhausted`: all that is on record as held of a pool is held by those who wait for more of it.

use super::{Story, Told};
use crate::words;

/// Holders told with the phases that they are in.
const NAMED: usize = 2;

pub(super) fn tell(story: &Story<'_>) -> Told {
    let pool = story.cause.cycle.first().map_or("the pool", |link| link.wait.name.as_str());
    let pool = words::short(pool);
    let blame = &story.cause.blame;
    let mut names: Vec<String> = blame.iter().take(NAMED).map(|task| story.name_in_phase(*task)).collect();
    let more = blame.len().saturating_sub(NAMED);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    let sentence = match &names[..] {
        [one] => format!("{pool} is used up: {one} holds all that was taken of it, and waits for more"),
        [first @ .., last] => {
            format!(
                "{pool} is used up: {} and {last} hold all that was taken of it, and each waits for more",
                first.join(", ")
            )
        }
        [] => format!("{pool} is used up: whoever holds of it waits for more"),
    };
    let advice = "take all that an operation needs of the pool at once, or give back what it has before it waits for \
                  more; a time limit on the wait turns the hang into an error";
    Told { sentence: words::sentence(&sentence), advice: vec![advice.to_owned()] }
}
