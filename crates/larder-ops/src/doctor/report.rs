use std::fmt;

use serde::Serialize;

use super::checks::CheckId;

/// The result of a check, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Everything is fine.
    Ok,
    /// The user may not ask, or the server does not report it.
    Unknown,
    /// It will cause a problem one day.
    Warn,
    /// It causes a problem now, or loses data.
    Fail,
}

/// The finding of a check.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The number of the check, such as `L003`.
    pub id: CheckId,
    /// The subject of the check, in a few words.
    pub title: &'static str,
    /// The address of the server, without user and password. Empty for a check of the app.
    pub server: String,
    /// The result.
    pub status: Status,
    /// The observed value, or why it could not be read.
    pub seen: String,
    /// The value to compare with.
    pub threshold: &'static str,
    /// The fix, usually a command.
    pub fix: &'static str,
    /// The section of the documentation that gives the reason.
    pub page: String,
}

/// Everything that a [`Doctor`](super::Doctor) found.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The findings, by the number of their checks.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Makes a report of findings.
    pub fn new(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| finding.id);
        Self { findings }
    }

    /// Adds a finding, such as one about the app.
    #[must_use]
    pub fn with(mut self, finding: Finding) -> Self {
        self.findings.push(finding);
        Self::new(self.findings)
    }

    /// Keeps only the findings of some checks.
    #[must_use]
    pub fn only(mut self, ids: &[CheckId]) -> Self {
        self.findings.retain(|finding| ids.contains(&finding.id));
        self
    }

    /// Omits the findings of some checks.
    #[must_use]
    pub fn silence(mut self, ids: &[CheckId]) -> Self {
        self.findings.retain(|finding| !ids.contains(&finding.id));
        self
    }

    /// Returns the worst status. [`Status::Ok`] without findings.
    pub fn worst(&self) -> Status {
        let statuses = self.findings.iter().map(|finding| finding.status);
        statuses.max().unwrap_or(Status::Ok)
    }

    /// Returns the number of findings with a status.
    pub fn count(&self, status: Status) -> usize {
        let findings = self.findings.iter();
        findings.filter(|finding| finding.status == status).count()
    }

    /// Logs each failure and warning, and one line of counts.
    pub fn log(&self) {
        for finding in &self.findings {
            let (check, server) = (finding.id.as_str(), &*finding.server);
            let (title, seen) = (finding.title, &*finding.seen);
            match finding.status {
                Status::Fail => {
                    tracing::error!(check, server, seen, fix = finding.fix, "doctor: {title}");
                }
                Status::Warn => {
                    tracing::warn!(check, server, seen, fix = finding.fix, "doctor: {title}");
                }
                Status::Unknown | Status::Ok => {
                    tracing::debug!(check, server, seen, "doctor: {title}");
                }
            }
        }
        let [ok, unknown, warn, fail] = [Status::Ok, Status::Unknown, Status::Warn, Status::Fail]
            .map(|status| self.count(status));
        tracing::info!(ok, unknown, warn, fail, "the doctor examined the servers");
    }
}

impl Status {
    /// Returns its name: `ok`, `unknown`, `warn` or `fail`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
