//! What may happen to running services, one stroke at a time.
//!
//! Must not: judge what came of it.

use std::time::{Duration, Instant};

use crate::dice::Dice;
use crate::node::Node;
use crate::power::{Disk, Loss};
use crate::witness::Witness;

/// How long a service may take to do what is waited for.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Something that goes wrong, and is put right again. Clients go on meanwhile.
pub trait Fault {
    /// Strikes, and returns once all services are up again.
    fn strike(&mut self, nodes: &mut [Node], dice: &mut Dice, witness: &Witness);
}

/// `kill -9` of one service, and a new start; now and then it dies once more amid that.
pub struct Kill;

impl Fault for Kill {
    fn strike(&mut self, nodes: &mut [Node], dice: &mut Dice, _: &Witness) {
        let victim = dice.below(nodes.len());
        nodes[victim].kill();
        if dice.chance(15) {
            nodes[victim].die_young(youth(dice));
        }
        nodes[victim].restart();
    }
}

/// How long a service lives that dies while it starts.
fn youth(dice: &mut Dice) -> Duration {
    Duration::from_micros(dice.next() % 300_000)
}

/// Waits until so many more calls were done with, so that there is something to lose.
pub fn await_calls(witness: &Witness, more: u64) {
    let (wanted, begun) = (witness.count() + more, Instant::now());
    while witness.count() < wanted {
        assert!(begun.elapsed() < PATIENCE, "the clients get no answers");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The power fails for one service: it dies, and of what it had not synced the disk has all, some
/// or nothing.
pub struct PowerLoss<'a> {
    pub disk: &'a Disk,
    /// Bytes that were written and are not there.
    pub lost: u64,
}

impl Fault for PowerLoss<'_> {
    fn strike(&mut self, nodes: &mut [Node], dice: &mut Dice, _: &Witness) {
        nodes[0].kill();
        self.lost += self.disk.lose_power(Loss::any(dice), dice);
        if dice.chance(15) {
            nodes[0].die_young(youth(dice));
            self.lost += self.disk.lose_power(Loss::any(dice), dice);
        }
        nodes[0].restart();
    }
}

/// For a while nothing can be written, or no file can grow, or what is written cannot be synced.
/// Then the power fails too.
pub struct BadDisk<'a> {
    pub disk: &'a Disk,
    /// From when until when nothing at all could become durable.
    pub spans: Vec<(Duration, Duration)>,
}

impl Fault for BadDisk<'_> {
    fn strike(&mut self, nodes: &mut [Node], dice: &mut Dice, witness: &Witness) {
        let kind = dice.below(3);
        match kind {
            0 => self.disk.set_full(1),
            1 => self.disk.set_full(2),
            _ => self.disk.set_failing_sync(true),
        }
        let begun = witness.now();
        await_calls(witness, 20 + dice.next() % 200);
        if kind > 0 {
            self.spans.push((begun, witness.now()));
        }
        if dice.chance(30) {
            nodes[0].kill();
            self.disk.lose_power(Loss::any(dice), dice);
            self.mend();
            nodes[0].restart();
            return;
        }
        self.mend();
        await_prompt(witness);
    }
}

impl BadDisk<'_> {
    fn mend(&self) {
        self.disk.set_full(0);
        self.disk.set_failing_sync(false);
    }
}

/// Waits until somebody who asks now is given a prompt: it works again.
fn await_prompt(witness: &Witness) {
    let (now, begun) = (witness.now(), Instant::now());
    while !witness.is_prompted_since(now) {
        assert!(begun.elapsed() < PATIENCE, "no prompt since the cause is gone");
        std::thread::sleep(Duration::from_millis(1));
    }
}
