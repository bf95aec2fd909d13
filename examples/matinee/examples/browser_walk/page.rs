use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::Failure;
use crate::chromium::Chromium;
use crate::tools::Tools;
use crate::walk::View;

/// More time than a change needs to become visible.
const PATIENCE: Duration = Duration::from_secs(20);

/// A page in a fresh browser, used as a visitor would.
pub(crate) struct Page {
    tools: Tools,
}

impl Page {
    pub(crate) fn open(chromium: &Chromium, view: View) -> Result<Self, Failure> {
        let mut tools = chromium.tools()?;
        let context = tools.call("Target.createBrowserContext", json!({}))?;
        let target = tools.call(
            "Target.createTarget",
            json!({ "url": "about:blank", "browserContextId": context["browserContextId"] }),
        )?;
        let attached = tools.call(
            "Target.attachToTarget",
            json!({ "targetId": target["targetId"], "flatten": true }),
        )?;
        tools.attach(attached["sessionId"].as_str().ok_or("no session")?);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            tools.call(&format!("{domain}.enable"), json!({}))?;
        }
        let (width, height) = view.size;
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": view.is_narrow(),
        });
        tools.call("Emulation.setDeviceMetricsOverride", metrics)?;
        let scheme = json!({ "name": "prefers-color-scheme", "value": view.scheme });
        tools.call(
            "Emulation.setEmulatedMedia",
            json!({ "features": [scheme] }),
        )?;
        Ok(Self { tools })
    }

    /// Opens an address.
    pub(crate) fn go(&mut self, url: &str) -> Result<(), Failure> {
        self.tools.call("Page.navigate", json!({ "url": url }))?;
        self.tools.wait_for("Page.loadEventFired").map(drop)
    }

    /// Clicks the element of the selector, and stays on the page.
    pub(crate) fn click(&mut self, selector: &str) -> Result<(), Failure> {
        let at = self.evaluate(&format!(
            "(() => {{
                const it = document.querySelector({selector:?});
                if (!it) return null;
                it.scrollIntoView({{ block: 'center', behavior: 'instant' }});
                const box = it.getBoundingClientRect();
                const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
                const top = document.elementFromPoint(x, y);
                const isFree = top && (it.contains(top) || top.contains(it));
                return isFree ? {{ x, y }} : {{ covered: top ? top.outerHTML : 'nothing' }};
            }})()"
        ))?;
        if at["x"].is_null() {
            return Err(format!("{selector} cannot be clicked: {at}").into());
        }
        for kind in ["mousePressed", "mouseReleased"] {
            let mouse = json!({
                "type": kind, "x": at["x"], "y": at["y"], "button": "left", "clickCount": 1,
            });
            self.tools.call("Input.dispatchMouseEvent", mouse)?;
        }
        Ok(())
    }

    /// Clicks an element that leads to another page, and waits for that page.
    pub(crate) fn follow(&mut self, selector: &str) -> Result<(), Failure> {
        self.click(selector)?;
        self.tools.wait_for("Page.loadEventFired").map(drop)
    }

    /// Clicks into a field, and types text.
    pub(crate) fn fill(&mut self, selector: &str, text: &str) -> Result<(), Failure> {
        self.click(selector)?;
        self.tools
            .call("Input.insertText", json!({ "text": text }))
            .map(drop)
    }

    /// Waits until the seat of a checkbox gets a class without a reload.
    pub(crate) fn wait_for_class(&mut self, selector: &str, class: &str) -> Result<(), Failure> {
        let has = format!(
            "document.querySelector({selector:?}).parentElement.classList.contains({class:?})"
        );
        let since = Instant::now();
        while self.evaluate(&has)? != true {
            if since.elapsed() > PATIENCE {
                return Err(format!("{selector} is not {class}").into());
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Fails unless the page visibly contains all of these texts.
    pub(crate) fn expect(&mut self, texts: &[&str]) -> Result<(), Failure> {
        let seen = self.text("main")?;
        match texts.iter().find(|text| !seen.contains(**text)) {
            Some(missing) => Err(format!("{missing:?} is not on the page: {seen}").into()),
            None => Ok(()),
        }
    }

    /// Returns the visible text of an element.
    pub(crate) fn text(&mut self, selector: &str) -> Result<String, Failure> {
        let text = format!("document.querySelector({selector:?})?.innerText ?? null");
        let text = self.evaluate(&text)?;
        let text = text.as_str().map(str::to_owned);
        text.ok_or_else(|| format!("there is no {selector}").into())
    }

    /// Returns the value of an expression.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Result<Value, Failure> {
        let params = json!({ "expression": expression, "returnByValue": true });
        let mut answer = self.tools.call("Runtime.evaluate", params)?;
        if answer["exceptionDetails"].is_null() {
            return Ok(answer["result"]["value"].take());
        }
        Err(format!("{expression}: {}", answer["exceptionDetails"]).into())
    }

    /// Inspects the whole page: takes a screenshot, and finds what a visitor would dislike.
    ///
    /// The browser may report the status as an error, but nothing else.
    pub(crate) fn look(&mut self, picture: &Path, status: Option<u16>) -> Result<(), Failure> {
        let metrics = self.tools.call("Page.getLayoutMetrics", json!({}))?;
        let size = &metrics["cssContentSize"];
        let clip = json!({
            "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1,
        });
        let shot = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let shot = self.tools.call("Page.captureScreenshot", shot)?;
        let data = shot["data"].as_str().ok_or("no picture")?;
        std::fs::write(picture, STANDARD.decode(data)?)?;

        let wide = self.evaluate(
            "(() => {
                const width = document.documentElement.clientWidth;
                if (document.documentElement.scrollWidth <= width) return '';
                const all = [...document.body.querySelectorAll('*')];
                const wide = all.filter(it => it.getBoundingClientRect().right > width + 1);
                return wide.map(it => it.tagName + '.' + it.className).join(' ') || 'something';
            })()",
        )?;
        if wide != "" {
            return Err(format!("wider than the screen: {wide}").into());
        }
        match self.complaints(status).first() {
            Some(complaint) => Err(complaint.clone().into()),
            None => Ok(()),
        }
    }

    /// Returns the errors that the browser has reported since the last call, except for a status.
    fn complaints(&mut self, but: Option<u16>) -> Vec<String> {
        let complaint = |event: Value| {
            let params = &event["params"];
            let is_bad = match event["method"].as_str()? {
                "Log.entryAdded" => {
                    let said = params["entry"]["text"].as_str().unwrap_or_default();
                    let is_but = but.is_some_and(|it| said.contains(&format!("status of {it}")));
                    params["entry"]["level"] != "verbose" && !is_but
                }
                "Network.responseReceived" => {
                    let status = params["response"]["status"].as_u64();
                    status >= Some(400) && status != but.map(u64::from)
                }
                "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" => true,
                // Leaving a page ends its stream.
                "Network.loadingFailed" => params["canceled"] != true,
                _ => false,
            };
            is_bad.then(|| event.to_string())
        };
        let events = self.tools.events();
        events.into_iter().filter_map(complaint).collect()
    }
}
