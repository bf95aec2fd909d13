use std::collections::HashSet;
use std::time::Duration;

use larder_ops::doctor::{Doctor, Report, Status, Uses, duplicated_store_crates};
use larder_ops::text::of;
use serde_json::json;

use super::{DONE, NOT_DONE};
use crate::args::{Doctor as DoctorArgs, FailOn};
use crate::error::{Error, Result};
use crate::output::Output;
use crate::target::Target;

pub(super) async fn run(
    target: &Target,
    args: &DoctorArgs,
    output: &mut Output<'_, '_>,
) -> Result<u8> {
    let prefix = args.prefix.clone().unwrap_or_else(|| target.prefix.clone());
    let uses = match args.uses.is_empty() {
        true => Uses::ALL,
        false => Uses::new(args.uses.iter().copied()),
    };
    let mut doctor = Doctor::new(uses)
        .with_prefix(prefix)
        .with_timeout(Duration::from_millis(args.timeout))
        .with_interval(Duration::from_millis(args.interval));
    if args.replicas {
        doctor = doctor.with_replicas();
    }
    if let Some(user) = &args.app_user {
        doctor = doctor.with_app_user(user);
    }
    output.progress("reading…");
    let mut report = doctor.examine(target.redis()?).await;
    output.end_progress();
    if let Some(lock) = &args.lock {
        let text = std::fs::read_to_string(lock)
            .map_err(|error| Error::usage(format!("{}: {error}", lock.display())))?;
        report = report.with(duplicated_store_crates(&text));
    }
    if !args.only.is_empty() {
        let of_app = args
            .only
            .iter()
            .find(|id| id.is_of_app() && report.findings.iter().all(|finding| finding.id != **id));
        if let Some(id) = of_app {
            return Err(Error::usage(match id.as_str() {
                "A012" => "A012 reads the Cargo.lock of the app: pass it with --lock".to_owned(),
                id => format!(
                    "{id} is a check of the app, which runs it when it starts: docs/doctor.md"
                ),
            }));
        }
        report = report.only(&args.only);
    }
    for id in &args.only {
        if report.findings.iter().all(|finding| finding.id != *id) {
            output.line(&format!("{id} does not apply to this store"))?;
        }
    }
    report = report.silence(&args.silence);
    show(&report, args.all, output)?;
    let limit = match args.fail_on {
        FailOn::Unknown => Status::Unknown,
        FailOn::Warn => Status::Warn,
        FailOn::Fail => Status::Fail,
    };
    Ok(if report.worst() < limit {
        DONE
    } else {
        NOT_DONE
    })
}

fn show(report: &Report, shows_all: bool, output: &mut Output<'_, '_>) -> Result<()> {
    if output.is_json() {
        let report = serde_json::to_value(report).map_err(std::io::Error::from)?;
        return output.json(&report);
    }
    let shown = report.findings.iter();
    let shown: Vec<_> = shown
        .filter(|it| shows_all || it.status != Status::Ok)
        .collect();
    if !shown.is_empty() {
        let rows = shown.iter().map(|it| {
            let status = it.status.as_str();
            vec![
                json!(it.id),
                json!(status),
                json!(it.title),
                json!(it.seen),
                json!(it.server),
            ]
        });
        output.table(
            &["check", "status", "what", "seen", "server"],
            rows.collect(),
        )?;
        output.line("")?;
    }
    let mut told = HashSet::new();
    for finding in shown.iter().filter(|it| it.status >= Status::Warn) {
        let (id, threshold) = (finding.id, finding.threshold);
        // Several servers may have the same fault.
        if !told.insert((id, finding.fix)) {
            continue;
        }
        output.line(&format!("{id}  threshold: {threshold}"))?;
        output.line(&format!("      fix: {}", finding.fix))?;
        output.line(&format!("      why: {}", finding.page))?;
    }
    let count = |status| report.count(status) as u64;
    output.line(&format!(
        "{} ok, {} unknown, {}, {}",
        count(Status::Ok),
        count(Status::Unknown),
        of(count(Status::Warn), "warning", "warnings"),
        of(count(Status::Fail), "failure", "failures")
    ))
}
