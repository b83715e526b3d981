//! `flagship watch`: follows a rollout, as a live picture on a terminal and as lines otherwise.

use std::{str::FromStr, time::Duration};

use clap::Args;
use flagship_waves::plan::{InvalidPeriod, Period};
use tokio::time::Instant;

use crate::{
    api::types::RolloutView,
    cli::{
        client::changes::Changes,
        complete,
        context::Session,
        exit::{CliError, Exit},
        output::{Live, print, tell},
        refs::{self, RolloutRef},
        render::watching,
    },
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
Exit codes: 0 it got there, 5 failed or rolled back, 6 aborted, 7 --timeout passed.

Examples:
  flagship watch shop/checkout-3
  flagship watch checkout --until soaked
  flagship watch checkout --until wave=pilot --timeout 30m";

/// What can be typed after `watch`.
#[derive(Debug, Args)]
pub struct Watch {
    /// The rollout, PROJECT/ID; or a plan, for its newest rollout
    #[arg(add = complete::rollout())]
    rollout: String,
    /// Until when: done, soaked (the last wave has soaked), or wave=NAME for that wave's end
    #[arg(long, default_value = "done", value_name = "done|soaked|wave=NAME")]
    until: Until,
    /// Give up after this time: 90s, 30m, 2h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
}

/// Until when something is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Until {
    /// The rollout has ended.
    Done,
    /// The last wave has soaked; that each cluster is seen once more may still be waited for.
    Soaked,
    /// This wave has ended.
    Wave(String),
    /// Everything was taken back.
    Back,
}

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None if text == "done" => Ok(Self::Done),
            None if text == "soaked" => Ok(Self::Soaked),
            Some(("wave", name)) if !name.is_empty() => Ok(Self::Wave(name.to_owned())),
            Some(_) | None => Err("use done, soaked or wave=NAME".to_owned()),
        }
    }
}

/// Reads a length of time as plans write it: `500ms`, `90s`, `1h30m`, `1d`.
pub fn duration(text: &str) -> Result<Duration, InvalidPeriod> {
    text.parse::<Period>().map(Period::get)
}

impl Watch {
    /// Follows it.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        let name = refs::rollout(session, &self.rollout).await?;
        follow(session, &name, &self.until, self.timeout).await
    }
}

/// Follows a rollout until it got there, ended otherwise, or the time is over.
pub async fn follow(
    session: &Session,
    name: &RolloutRef,
    until: &Until,
    timeout: Option<Duration>,
) -> Result<Exit, CliError> {
    let end = timeout.map(|timeout| Instant::now() + timeout);
    let mut screen = Screen::new(session);
    let mut changes: Option<Changes> = None;
    let mut before: Option<RolloutView> = None;
    let mut failures = 0;
    loop {
        match session.client.get::<RolloutView>(&name.path()).await {
            Ok(view) => {
                failures = 0;
                screen.show(session, before.as_ref(), &view)?;
                if let Some(exit) = arrived(&view, until)? {
                    screen.last(session, &view)?;
                    return Ok(exit);
                }
                changes.get_or_insert_with(|| Changes::from(&session.client, view.seq));
                before = Some(view);
            }
            // A hub that restarts is no reason to stop looking; one that stays away is.
            Err(error) if error.exit == Exit::Unreachable && before.is_some() && failures < 30 => {
                if failures == 0 {
                    session.say(&format!("{error}; still trying"));
                    screen.picture.leave();
                }
                failures += 1;
            }
            Err(error) => return Err(error),
        }
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            let timeout = timeout.unwrap_or_default();
            return Err(late(name, before.as_ref(), timeout, failures > 0));
        }
        let wait = left.map_or(LOOK, |left| left.min(LOOK));
        match &mut changes {
            Some(changes) if failures == 0 => changes.next(wait).await,
            Some(_) | None => tokio::time::sleep(wait).await,
        }
    }
}

/// The longest time between two looks: ages on the screen grow, and a lost event is made good.
const LOOK: Duration = Duration::from_secs(1);

fn late(
    name: &RolloutRef,
    view: Option<&RolloutView>,
    timeout: Duration,
    is_hub_away: bool,
) -> CliError {
    let is = if is_hub_away { "was" } else { "is" };
    let stands = view.map_or_else(String::new, |view| {
        format!(" (it {is} {}: {})", view.state, view.why.message)
    });
    if is_hub_away {
        let what = format!(
            "the hub does not answer, and rollout {name} was not seen to get there in {timeout:?}{stands}"
        );
        let remedy = format!("look again when the hub is back: flagship watch {name}");
        return CliError::new(Exit::Deadline, what).remedy(remedy);
    }
    // What has something that a person can do waits for that.
    let waits = view.is_some_and(|view| !view.next_steps.is_empty());
    let remedy = if waits {
        format!("what can be done about it: flagship explain {name}")
    } else {
        format!("it goes on by itself: flagship watch {name}")
    };
    CliError::new(
        Exit::Deadline,
        format!("rollout {name} did not get there in {timeout:?}{stands}"),
    )
    .remedy(remedy)
}

/// Whether the end that was waited for is reached, and how.
pub fn arrived(view: &RolloutView, until: &Until) -> Result<Option<Exit>, CliError> {
    if let Until::Wave(name) = until {
        let Some(wave) = view.waves.iter().find(|wave| wave.name == *name) else {
            let known: Vec<&str> = view.waves.iter().map(|wave| wave.name.as_str()).collect();
            return Err(CliError::bad(format!("the rollout has no wave {name}"))
                .remedy(format!("it has: {}", known.join(", "))));
        };
        if wave.state.eq_ignore_ascii_case("done") {
            return Ok(Some(Exit::Done));
        }
    }
    if *until == Until::Soaked && soaked(view) {
        return Ok(Some(Exit::Done));
    }
    if *until == Until::Back {
        return Ok(match view.state.as_str() {
            "RolledBack" => Some(Exit::Done),
            "Accepted" | "Superseded" => Some(Exit::Failed),
            _ => None,
        });
    }
    Ok(match view.state.as_str() {
        "Succeeded" | "Accepted" => Some(Exit::Done),
        "Failed" | "RolledBack" | "Superseded" => Some(Exit::Failed),
        "Aborted" => Some(Exit::Aborted),
        _ => None,
    })
}

/// Whether every wave before the last is done, and the last one's soak is over.
fn soaked(view: &RolloutView) -> bool {
    let Some((last, before)) = view.waves.split_last() else {
        return false;
    };
    let over = last.state == "done"
        || last.state == "soaking"
            && last
                .soak
                .as_ref()
                .is_none_or(|soak| soak.elapsed_ms >= soak.needed_ms);
    over && before.iter().all(|wave| wave.state == "done")
}

/// What was drawn and is drawn over.
struct Screen {
    live: bool,
    picture: Live,
}

impl Screen {
    fn new(session: &Session) -> Self {
        Self {
            live: session.format.for_people() && session.look.is_live(),
            picture: Live::default(),
        }
    }

    fn show(
        &mut self,
        session: &Session,
        before: Option<&RolloutView>,
        view: &RolloutView,
    ) -> Result<(), CliError> {
        if self.live {
            let picture = watching::picture(session.look, view, session.now());
            return self.picture.draw(session.look, &picture);
        }
        if session.format.for_people() {
            let lines = watching::changes(before, view, session.now());
            if lines.is_empty() {
                return Ok(());
            }
            return tell(&(lines.join("\n") + "\n"));
        }
        // One document a line, as `jq` reads it.
        if before.is_some_and(|before| before.seq == view.seq) {
            return Ok(());
        }
        print(&session.format.line(view)?)
    }

    fn last(&self, session: &Session, view: &RolloutView) -> Result<(), CliError> {
        if !session.format.for_people() {
            return Ok(());
        }
        let rest = if self.live { &[] } else { &view.banners[..] };
        tell(&watching::last_words(
            session.look,
            rest,
            view,
            session.now(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::tests::fixture::rolling;

    #[test]
    fn who_waited_in_vain_is_told_where_it_stands_and_whether_a_person_can_do_something() {
        let name = RolloutRef {
            project: "shop".to_owned(),
            id: "checkout-3".to_owned(),
        };
        let mut view = rolling();
        let late_while = |view: &RolloutView, is_hub_away| {
            late(&name, Some(view), Duration::from_secs(90), is_hub_away)
        };
        let late = |view: &RolloutView| late_while(view, false);
        let away = late_while(&view, true).to_string();
        assert!(away.starts_with("the hub does not answer"), "{away}");
        assert!(!away.contains("it is "), "nobody knows: {away}");
        assert!(!away.contains("goes on by itself"), "{away}");
        view.next_steps = vec!["flagship resume shop/checkout-3".to_owned()];
        let error = late(&view);
        assert_eq!(error.exit, Exit::Deadline);
        let stands = format!("in 90s (it is {}: {})", view.state, view.why.message);
        let said = error.to_string();
        assert!(said.contains(&stands), "{said}");
        assert!(
            said.contains("what can be done about it: flagship explain shop/checkout-3"),
            "{said}"
        );
        view.next_steps.clear();
        let said = late(&view).to_string();
        assert!(
            said.contains("it goes on by itself: flagship watch shop/checkout-3"),
            "{said}"
        );
    }
}
