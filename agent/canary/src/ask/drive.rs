//! Begins, drives on and closes sets of questions, and takes the answers that came.

use std::time::Duration;

use flagship_proto::model::{
    Phase, Stopwatch,
    canary::{Metric, Webhook, WebhookType},
};
use sha2::{Digest as _, Sha256};

use super::{Answered, Ask, Asking, Question, Slot};
use crate::{
    decision::Action,
    judge::{self, Verdict},
    observation::{Answer, Measurement},
    status::LONGEST_GAP,
    work::Work,
};

/// What a set of questions came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closed {
    /// The worst of the answers; for rollback hooks Pass means that one asked for it.
    pub(crate) verdict: Verdict,
    /// What decided, with numbers.
    pub(crate) words: String,
    /// The name of the question that decided.
    pub(crate) name: String,
}

/// Which metrics a set asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// None: hooks only.
    Nothing,
    /// All.
    All,
    /// Those that have a range of their own: they mean something without a primary beside.
    Absolute,
}

impl Asked {
    fn has(self, metric: &Metric) -> bool {
        match self {
            Self::Nothing => false,
            Self::All => true,
            Self::Absolute => {
                let range = metric.range();
                range.min.is_some() || range.max.is_some()
            }
        }
    }
}

/// Time beyond the hooks' own after which a question counts as unanswered.
const PATIENCE: Duration = Duration::from_secs(60);

impl Work<'_> {
    /// An id that no other question of this workload has; the same after a restart, because the
    /// status that holds it is stored before it is asked.
    pub(crate) fn new_id(&mut self, kind: &str, name: &str) -> String {
        self.next.questions += 1;
        let run = self.next.run.as_ref();
        let text = format!(
            "{}|{}|{}|{}|{}|{kind}|{name}|{}",
            run.map_or("", |run| run.rollout.as_str()),
            run.map_or(0, |run| run.attempt),
            run.map_or_else(String::new, |run| run.fence.to_string()),
            self.next.phase,
            self.next.step,
            self.next.questions,
        );
        hex::encode(&Sha256::digest(text.as_bytes())[..16])
    }

    /// The spec's hooks of a type, with their places.
    pub(crate) fn hooks(&self, kind: WebhookType) -> Vec<(usize, &Webhook)> {
        let all = self
            .analysis()
            .map_or(&[][..], |analysis| &analysis.webhooks);
        all.iter()
            .enumerate()
            .filter(|(_, hook)| hook.kind == kind)
            .collect()
    }

    /// Whether such a set is under way.
    pub(crate) fn is_asking(&self, slot: Slot) -> bool {
        self.next.asking.contains_key(&slot)
    }

    /// Begins a set: the hooks of a type, then (for a round of checks) metrics.
    pub(crate) fn begin_asking(&mut self, slot: Slot, hooks: Option<WebhookType>, metrics: Asked) {
        let hooks = hooks.map(|kind| (kind, self.hooks(kind)));
        let mut questions: Vec<Question> = hooks
            .into_iter()
            .flat_map(|(kind, hooks)| hooks.into_iter().map(move |hook| (kind, hook)))
            .map(|(kind, (index, hook))| Question::Hook {
                kind,
                index,
                name: hook.name.clone(),
            })
            .collect();
        if let Some(analysis) = self.analysis() {
            let settled = self.next.waits.settled.elapsed();
            let asked = analysis.metrics.iter().filter(|metric| metrics.has(metric));
            questions.extend(asked.map(|metric| {
                let reach = settled.saturating_sub(metric.delay());
                let window = metric.window().min(reach);
                Question::Metric {
                    name: metric.name.clone(),
                    window_ms: u64::try_from(window.as_millis()).unwrap_or(u64::MAX),
                }
            }));
        }
        let asks = questions
            .into_iter()
            .map(|question| Ask {
                id: self.new_id(&format!("{slot:?}"), question.name()),
                question,
                answer: None,
            })
            .collect();
        let age = Stopwatch::default();
        self.next.asking.insert(slot, Asking { asks, age });
    }

    /// Takes the answers that came for questions of ours; all others are dropped.
    pub(crate) fn take_answers(&mut self) {
        let mut asking = std::mem::take(&mut self.next.asking);
        for ask in asking.values_mut().flat_map(|set| &mut set.asks) {
            if ask.answer.is_none()
                && let Some(answer) = self.seen.answers.get(&ask.id)
            {
                ask.answer = Some(self.judged(&ask.question, answer));
            }
        }
        self.next.asking = asking;
    }

    fn judged(&self, question: &Question, answer: &Answer) -> Answered {
        match (question, answer) {
            (Question::Hook { .. }, Answer::Hook { passed, words }) => Answered {
                verdict: if *passed {
                    Verdict::Pass
                } else {
                    Verdict::Fail
                },
                words: words.clone(),
            },
            (Question::Metric { name, .. }, Answer::Measured(measured)) => {
                self.judge_metric(name, measured)
            }
            (Question::Hook { name, .. }, Answer::Measured(_))
            | (Question::Metric { name, .. }, Answer::Hook { .. }) => Answered {
                verdict: Verdict::Inconclusive,
                words: format!("{name}: answered by something else"),
            },
        }
    }

    fn judge_metric(&self, name: &str, measured: &Measurement) -> Answered {
        let found = self.analysis().and_then(|analysis| {
            let mut metric = analysis
                .metrics
                .iter()
                .find(|metric| metric.name == name)?
                .clone();
            if self.next.phase == Phase::Succeeded {
                // Once it is the primary there is nothing left to hold it against (S5).
                metric.compare_to = None;
            }
            Some(judge::judge(
                &metric,
                analysis.min_requests(&metric),
                measured,
            ))
        });
        match found {
            Some(judgement) => Answered {
                verdict: judgement.verdict,
                words: judgement.to_string(),
            },
            None => Answered {
                verdict: Verdict::Inconclusive,
                words: format!("{name}: no longer in the canary's spec"),
            },
        }
    }

    /// Drives a set on: asks what is open, and closes it when all that counts is answered.
    pub(crate) fn drive(&mut self, slot: Slot) -> Option<Closed> {
        let mut asking = self.next.asking.remove(&slot)?;
        asking.age.run(self.now.mono, LONGEST_GAP);
        if asking.age.elapsed() > self.patience(&asking) {
            expire(&mut asking);
        }
        let closed = match open_questions(slot, &asking) {
            Ok(open) => {
                let actions: Vec<Action> = open.iter().map(|ask| self.action(ask)).collect();
                self.actions.extend(actions);
                None
            }
            Err(closed) => Some(closed),
        };
        if closed.is_none() {
            self.next.asking.insert(slot, asking);
        }
        closed
    }

    fn patience(&self, asking: &Asking) -> Duration {
        let hooks = self
            .analysis()
            .map_or(&[][..], |analysis| &analysis.webhooks);
        let own = asking.asks.iter().filter_map(|ask| match &ask.question {
            Question::Hook { index, .. } => hooks.get(*index),
            Question::Metric { .. } => None,
        });
        own.fold(PATIENCE, |sum, hook| {
            let tries = hook.retries.unwrap_or(0).saturating_add(1);
            // Each try may be followed by a pause of up to 30 s.
            sum.saturating_add((hook.timeout() + Duration::from_secs(30)).saturating_mul(tries))
        })
    }

    fn action(&self, ask: &Ask) -> Action {
        match &ask.question {
            Question::Hook { kind, index, name } => Action::RunHook {
                id: ask.id.clone(),
                kind: *kind,
                index: *index,
                name: name.clone(),
            },
            Question::Metric { name, window_ms } => {
                let delay = self
                    .analysis()
                    .and_then(|analysis| analysis.metrics.iter().find(|m| m.name == *name))
                    .map_or(Duration::ZERO, |metric| metric.delay());
                Action::Query {
                    id: ask.id.clone(),
                    metric: name.clone(),
                    window: Duration::from_millis(*window_ms),
                    delay,
                }
            }
        }
    }
}

/// The questions that are to be asked now, or what the set came to.
fn open_questions(slot: Slot, asking: &Asking) -> Result<Vec<&Ask>, Closed> {
    let mut open = Vec::new();
    for ask in &asking.asks {
        let hook = matches!(ask.question, Question::Hook { .. });
        match &ask.answer {
            None => {
                open.push(ask);
                if hook {
                    break;
                }
            }
            Some(answer) if hook && ends_set(slot, answer.verdict) => {
                return Err(Closed {
                    verdict: answer.verdict,
                    words: answer.words.clone(),
                    name: ask.question.name().to_owned(),
                });
            }
            Some(_) => {}
        }
    }
    if open.is_empty() {
        Err(worst(asking))
    } else {
        Ok(open)
    }
}

/// Whether one hook's answer settles its set: a failure does, for rollback hooks a success, and
/// nothing where people are only told.
fn ends_set(slot: Slot, verdict: Verdict) -> bool {
    match slot {
        Slot::Gate | Slot::Check => verdict == Verdict::Fail,
        Slot::Rollback => verdict == Verdict::Pass,
        Slot::Post => false,
    }
}

fn worst(asking: &Asking) -> Closed {
    let answered = asking
        .asks
        .iter()
        .filter_map(|ask| ask.answer.as_ref().map(|answer| (ask, answer)));
    let verdict = answered
        .clone()
        .map(|(_, answer)| answer.verdict)
        .max()
        .unwrap_or(Verdict::Pass);
    let deciding: Vec<_> = answered
        .filter(|(_, answer)| answer.verdict == verdict)
        .collect();
    let words: Vec<&str> = deciding
        .iter()
        .map(|(_, answer)| answer.words.as_str())
        .collect();
    Closed {
        verdict,
        words: words.join("; "),
        name: deciding
            .first()
            .map_or_else(String::new, |(ask, _)| ask.question.name().to_owned()),
    }
}

/// Answers what nobody answered: a hook has failed, a metric could not be judged.
fn expire(asking: &mut Asking) {
    let waited = asking.age.elapsed().as_secs();
    for ask in &mut asking.asks {
        let verdict = match ask.question {
            Question::Hook { .. } => Verdict::Fail,
            Question::Metric { .. } => Verdict::Inconclusive,
        };
        let words = format!("{}: no answer within {waited} s", ask.question.name());
        ask.answer.get_or_insert(Answered { verdict, words });
    }
}
