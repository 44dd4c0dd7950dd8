//! What goes over the wire, counted by a proxy before the server.

use anyhow::Result;

use super::{Entry, SECTION};
use crate::cell::Cell;
use crate::figure::Figure;
use crate::proxy::{Counts, Proxy};
use crate::worker::{Process, Task};

/// Few enough for the proxy's own slowness not to matter, and enough for what happens now and then to be seen.
const TIMES: usize = 200;

pub(super) fn count(cell: Cell, url: &str, tasks: &[Entry]) -> Result<()> {
    let proxy = Proxy::before(cell.backend, url)?;
    let mut worker = Process::start(cell, Some(&proxy.url(url)?))?;
    for &(name, scenario, cookie) in tasks {
        // A task makes its sessions and warms up first: what two tasks of different length differ by is the requests'.
        let mut of = |times: usize| -> Result<Counts> {
            let before = proxy.counts();
            worker.ask(&Task { scenario, cookie, times })?;
            Ok(proxy.counts().since(before))
        };
        of(10)?;
        let (few, many) = (of(10)?, of(10 + TIMES)?);
        // A tenth of the requests warm up.
        let more = (TIMES + TIMES / 10) as f64;
        let each = |get: fn(Counts) -> u64| [(get(many) as f64 - get(few) as f64) / more];
        let figures = [
            ("round trips", "", each(|counts| counts.round_trips)),
            ("bytes up", "B", each(|counts| counts.up)),
            ("bytes down", "B", each(|counts| counts.down)),
            ("statements", "", each(|counts| counts.statements)),
        ];
        for (figure, unit, value) in figures {
            let who = [cell.contender.name(), cell.backend.name(), name];
            Figure::of_rounds(SECTION, who, figure, unit, &value).print()?;
        }
    }
    Ok(())
}
