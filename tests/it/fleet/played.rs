//! The model's schedules on real files. `COUNTERFOIL_FLEETS=200000` runs longer hunts, `COUNTERFOIL_SEED=17` begins elsewhere.

use super::asked::{library_word, playable};
use super::generate::schedule;
use super::model::Model;
use super::plots::aimed;
use super::real::Real;
use super::run::compare;
use super::steps::{Step, print, shrink};
use super::wrong::ALL;
use crate::against::{in_parallel, number};

fn differ(devices: u8, steps: &[Step]) -> Result<(), String> {
    compare(&mut Model::new(devices, None), &mut Real::new(devices), steps, library_word)
}

/// Panics with the smallest schedule that still shows a difference.
fn must_agree(seed: u64, devices: u8, steps: &[Step]) {
    let Err(why) = differ(devices, steps) else { return };
    let small = shrink(steps, &mut |steps| differ(devices, steps).is_err());
    let now = differ(devices, &small).err().unwrap_or_default();
    panic!("{why}\n{devices} devices, {}{now}", print(seed, &small));
}

/// Figures of every account of every file after each step, what is refused, and the full exchange at the end.
#[test]
fn real_fleets_do_as_the_model_does() {
    in_parallel(number("COUNTERFOIL_FLEETS", 2_000), |seed| {
        let (devices, steps) = schedule(seed);
        must_agree(seed, devices, &playable(&steps));
    });
}

/// What random schedules meet too rarely.
#[test]
fn real_fleets_play_the_plots() {
    in_parallel(number("COUNTERFOIL_FLEETS", 2_000) / 200, |seed| {
        for (devices, steps) in ALL.into_iter().filter_map(|wrong| aimed(wrong, seed)) {
            must_agree(seed, devices, &playable(&steps));
        }
    });
}
