//! A headless Chromium, driven as the W3C's WebDriver protocol says: what a person with a keyboard does, and
//! what the browser saw of it (requests, complaints, the picture).

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::time;

use crate::{
    process::{Running, end_all_marked},
    tools,
};

/// The variable that marks every process of a browser, by which they are found at its end.
const MARK: &str = "TEST_BROWSER";
/// How long the driver and the browser may take to start, and any one command.
const START: Duration = Duration::from_secs(60);
/// How long a page may take to become what a test waits for.
const SOON: Duration = Duration::from_secs(20);

/// Keys that are no characters, as WebDriver writes them.
pub mod key {
    /// To the next thing that has the focus.
    pub const TAB: &str = "\u{e004}";
    /// Presses what has the focus.
    pub const ENTER: &str = "\u{e007}";
    /// Closes what is open.
    pub const ESCAPE: &str = "\u{e00c}";
    /// Ticks what has the focus.
    pub const SPACE: &str = " ";
    /// Held with another key.
    pub const SHIFT: &str = "\u{e008}";
    /// To the next choice of several.
    pub const DOWN: &str = "\u{e015}";
}

/// A browser with one tab.
#[derive(Debug)]
pub struct Browser {
    folder: PathBuf,
    http: reqwest::Client,
    session: String,
    // Killed before what it started.
    driver: Option<Running>,
}

impl Browser {
    /// Starts one; `folder` gets its profile, its logs and its pictures.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn start(folder: &Path) -> anyhow::Result<Self> {
        let _old = fs::remove_dir_all(folder);
        fs::create_dir_all(folder)?;
        let tools = tools::chromium();
        let mut browser = Self {
            folder: folder.to_owned(),
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(START)
                .build()?,
            session: String::new(),
            driver: None,
        };
        let port = browser.drive(&tools).await?;
        let asked = json!({"capabilities": {"alwaysMatch": {
            "acceptInsecureCerts": true,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "goog:chromeOptions": {
                "binary": tools.join("browser"),
                "args": [
                    "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-proxy-server",
                    "--window-size=1280,900", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                    format!("--user-data-dir={}", folder.join("profile").display()),
                ],
            },
        }}});
        browser.session = format!("http://127.0.0.1:{port}/session");
        let made = browser.post("", &asked).await?;
        let id = made["sessionId"].as_str().context("a session has an id")?;
        browser.session = format!("{}/{id}", browser.session);
        Ok(browser)
    }

    /// Starts the driver; the port that it took.
    async fn drive(&mut self, tools: &Path) -> anyhow::Result<u16> {
        let began = Instant::now();
        loop {
            // Its log is read from the beginning: each driver has one of its own.
            let _of_another = fs::remove_file(self.folder.join("chromedriver.log"));
            let mut command = Command::new(tools.join("chromedriver"));
            command.arg("--port=0").env(MARK, self.folder.as_os_str());
            command
                .env("HOME", &self.folder)
                .env("TMPDIR", &self.folder);
            let mut driver = Running::start("chromedriver", &self.folder, &mut command)?;
            while driver.ended().is_none() && began.elapsed() < START {
                let log = driver.log();
                let said = log.split_once("started successfully on port ");
                let port = said.and_then(|(_, rest)| rest.split_once('.'));
                if let Some(port) = port.and_then(|(port, _)| port.parse().ok()) {
                    self.driver = Some(driver);
                    return Ok(port);
                }
                time::sleep(Duration::from_millis(20)).await;
            }
            // It takes a free port of IPv6 and then the same one of IPv4, which another may have.
            let log = driver.log();
            if began.elapsed() > START || !log.contains("Address already in use") {
                bail!("chromedriver does not start:\n{log}");
            }
        }
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self
            .http
            .post(format!("{}{path}", self.session))
            .body(body.to_string());
        let mut answer: Value = serde_json::from_str(&request.send().await?.text().await?)?;
        let value = answer["value"].take();
        if let Some(error) = value.get("error").filter(|error| error.is_string()) {
            bail!("{path}: {error}: {}", value["message"]);
        }
        Ok(value)
    }

    async fn must(&self, path: &str, body: &Value) -> Value {
        let answer = self.post(path, body).await;
        answer.unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Goes to an address.
    ///
    /// # Panics
    /// It cannot be opened.
    pub async fn open(&self, url: &str) {
        self.must("/url", &json!({"url": url})).await;
    }

    /// Runs a script in every document from now on, before the page's own.
    ///
    /// # Panics
    /// The browser refuses.
    pub async fn before_each_load(&self, script: &str) {
        let asked =
            json!({"cmd": "Page.addScriptToEvaluateOnNewDocument", "params": {"source": script}});
        self.must("/goog/cdp/execute", &asked).await;
    }

    /// What a script returns that runs in the page; the page's own policy does not bind it.
    ///
    /// # Panics
    /// It throws.
    pub async fn ask(&self, script: &str) -> Value {
        self.must("/execute/sync", &json!({"script": script, "args": []}))
            .await
    }

    /// What is read on the page.
    ///
    /// # Panics
    /// There is no page.
    pub async fn text(&self, selector: &str) -> String {
        let script = format!(
            "return [...document.querySelectorAll({})].map(e => e.innerText).join('\\n')",
            json!(selector)
        );
        self.ask(&script)
            .await
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Waits until a script returns true.
    ///
    /// # Panics
    /// Not in time; the message shows what is on the page instead.
    pub async fn until(&self, what: &str, script: &str) {
        self.until_within(what, script, SOON).await;
    }

    /// The same with a deadline of one's own.
    ///
    /// # Panics
    /// Not in time; the message shows what is on the page instead.
    pub async fn until_within(&self, what: &str, script: &str, deadline: Duration) {
        let began = Instant::now();
        while self.ask(script).await != Value::Bool(true) {
            if began.elapsed() > deadline {
                self.picture("failed.png").await;
                panic!("not in {deadline:?}: {what}\n{}", self.text("body").await);
            }
            time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until a text is read at a place, and not only somewhere that is hidden.
    ///
    /// # Panics
    /// Not in time; the message shows what is on the page instead.
    pub async fn reads(&self, selector: &str, text: &str) {
        let script = format!(
            "return [...document.querySelectorAll({})].some(e => e.checkVisibility() && e.innerText.includes({}))",
            json!(selector),
            json!(text)
        );
        self.until(&format!("{selector} reads {text:?}"), &script)
            .await;
    }

    /// Types: characters and keys one after the other.
    ///
    /// # Panics
    /// The browser refuses.
    pub async fn press(&self, keys: &str) {
        let press = |key: char| {
            let stroke = |kind: &str| json!({"type": kind, "value": key.to_string()});
            [stroke("keyDown"), stroke("keyUp")]
        };
        let strokes: Vec<Value> = keys.chars().flat_map(press).collect();
        self.act(strokes).await;
    }

    /// Presses one key while another is held.
    ///
    /// # Panics
    /// The browser refuses.
    pub async fn press_with(&self, held: &str, key: &str) {
        let stroke = |kind: &str, key: &str| json!({"type": kind, "value": key});
        let strokes = [
            ("keyDown", held),
            ("keyDown", key),
            ("keyUp", key),
            ("keyUp", held),
        ];
        self.act(strokes.map(|(kind, key)| stroke(kind, key)).to_vec())
            .await;
    }

    async fn act(&self, strokes: Vec<Value>) {
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": strokes});
        self.must("/actions", &json!({"actions": [keyboard]})).await;
    }

    /// Goes from one thing to the next until the one that a selector names has the focus.
    ///
    /// # Panics
    /// The keyboard does not get there.
    pub async fn tab_to(&self, selector: &str) {
        let there = format!(
            "return document.activeElement?.matches({})",
            json!(selector)
        );
        for _ in 0..60 {
            if self.ask(&there).await == Value::Bool(true) {
                return;
            }
            self.press(key::TAB).await;
        }
        panic!("the keyboard does not get to {selector}");
    }

    /// A command of the browser's own protocol, for what WebDriver has no word.
    ///
    /// # Panics
    /// The browser refuses.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.must("/goog/cdp/execute", &body).await
    }

    /// Makes the window that of another machine: its width, light or dark.
    ///
    /// # Panics
    /// The browser refuses.
    pub async fn looks(&self, width: u32, scheme: &str) {
        let size =
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600});
        self.devtools("Emulation.setDeviceMetricsOverride", size)
            .await;
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", scheme).await;
    }

    /// What is wider than its place, so that a reader has to scroll sideways; but for what was typed into a
    /// field.
    ///
    /// # Panics
    /// There is no page.
    pub async fn overflowing(&self) -> Vec<String> {
        let script = "return [...document.querySelectorAll('html, dialog[open], dialog[open] *')] \
            .filter(e => e.scrollWidth > e.clientWidth && e.tagName !== 'INPUT' && getComputedStyle(e).display !== 'inline') \
            .map(e => e.outerHTML.slice(0, 200))";
        let found = self.ask(script).await;
        serde_json::from_value(found).expect("a list of texts")
    }

    /// The lowest contrast of any text with its ground, and where it is.
    ///
    /// # Panics
    /// There is no page.
    pub async fn lowest_contrast(&self) -> (f64, String) {
        let found = self.ask(include_str!("browser/contrast.js")).await;
        serde_json::from_value(found).expect("a number and a text")
    }

    /// A picture of the whole page, also kept as a file beside the logs.
    ///
    /// # Panics
    /// The browser gives none.
    pub async fn picture(&self, name: &str) -> Vec<u8> {
        let asked = json!({"captureBeyondViewport": true});
        let shot = self.devtools("Page.captureScreenshot", asked).await;
        let png = STANDARD.decode(shot["data"].as_str().unwrap_or_default());
        let png = png.expect("a picture comes in base64");
        let _only_for_people = fs::write(self.folder.join(name), &png);
        png
    }

    /// What the page and the browser complained of since this was asked last: source and text.
    ///
    /// # Panics
    /// The browser does not tell.
    pub async fn complaints(&self) -> Vec<(String, String)> {
        let entries = self.must("/se/log", &json!({"type": "browser"})).await;
        let entries = entries.as_array().cloned().unwrap_or_default();
        let word =
            |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        entries
            .iter()
            .map(|entry| (word(entry, "source"), word(entry, "message")))
            .collect()
    }

    /// The address of every request that was sent since this was asked last.
    ///
    /// # Panics
    /// The browser does not tell.
    pub async fn requests(&self) -> Vec<String> {
        let entries = self.must("/se/log", &json!({"type": "performance"})).await;
        let entries = entries.as_array().cloned().unwrap_or_default();
        let sent = entries.iter().filter_map(|entry| {
            let event: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let is_request = event["message"]["method"] == "Network.requestWillBeSent";
            let url = &event["message"]["params"]["request"]["url"];
            is_request.then(|| url.as_str().unwrap_or_default().to_owned())
        });
        sent.collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.driver.take());
        end_all_marked(MARK, OsStr::new(&self.folder));
    }
}
