//! A process that is asked by lines: one question in, one line of JSON out. It ends when its input does.

use std::{
    io::Write as _,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child as Process, ChildStdin, ChildStdout, Command},
    sync::mpsc,
};

use crate::process::built;

/// A process of this program under another subject.
#[derive(Debug)]
pub struct Child {
    name: &'static str,
    process: Process,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts it; what it logs goes to `FOLDER/NAME.log`.
    ///
    /// # Errors
    /// The program or its log cannot be opened.
    pub fn start(name: &'static str, folder: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        let log = std::fs::File::create(folder.join(format!("{name}.log")))?;
        let mut process = Command::new(built("flagship-bench"))
            .arg(name)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let questions = process.stdin.take().context("its input is a pipe")?;
        let answers = process.stdout.take().context("its output is a pipe")?;
        Ok(Self {
            name,
            process,
            questions,
            answers: BufReader::new(answers).lines(),
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// It has ended, or answers something else.
    pub async fn ask<T: DeserializeOwned>(&mut self, question: &str) -> anyhow::Result<T> {
        self.questions
            .write_all(format!("{question}\n").as_bytes())
            .await?;
        self.answer().await
    }

    /// The next line.
    ///
    /// # Errors
    /// It has ended, or says something else.
    pub async fn answer<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        let line = self.answers.next_line().await?;
        let line = line.with_context(|| format!("{} ended early; see its log", self.name))?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Asks every few milliseconds until the answer is as wanted.
    ///
    /// # Errors
    /// Not in time; it says what it answered last.
    pub async fn until<T: DeserializeOwned + std::fmt::Debug>(
        &mut self,
        question: &str,
        deadline: Duration,
        wanted: impl Fn(&T) -> bool,
    ) -> anyhow::Result<T> {
        let began = Instant::now();
        loop {
            let answer: T = self.ask(question).await?;
            if wanted(&answer) {
                return Ok(answer);
            }
            let name = self.name;
            ensure!(
                began.elapsed() < deadline,
                "{name} answers {answer:?} to {question:?} after {deadline:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The other side: answers each line of the input until it ends.
///
/// # Errors
/// The output is closed.
pub async fn answer<T: Serialize>(answer: impl AsyncFn(&str) -> T) -> anyhow::Result<()> {
    let (ask, mut questions) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if ask.blocking_send(line).is_err() {
                return;
            }
        }
    });
    while let Some(question) = questions.recv().await {
        let text = serde_json::to_string(&answer(question.trim()).await)?;
        writeln!(std::io::stdout(), "{text}")?;
    }
    Ok(())
}
