//! `flagship-agent check`: what is amiss before the agent is started, one line each.

use std::{
    env,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use tokio::net::TcpStream;

use super::say;
use crate::{
    args::RunArgs,
    config::{AgentConfig, HubAddress},
    link::{connect::connect, identity::IdentityFolder},
};

/// How long the hub may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// Prints one line a finding; fails if one is bad.
pub(super) async fn check(args: &RunArgs) -> ExitCode {
    let config = match AgentConfig::load(&args.config) {
        Ok(config) => config,
        Err(error) => {
            say(&format!("bad  configuration: {error}"));
            return ExitCode::from(2);
        }
    };
    let mut findings = vec![Ok(format!("configuration: {}", args.config.display()))];
    findings.push(hub(&config).await);
    if config.envoy.start {
        findings.push(executable("envoy", &config.envoy.binary));
    }
    for workload in &config.workloads {
        let Some(program) = workload.command.first() else {
            continue;
        };
        let program = program.replace("{version}", &workload.version);
        let what = format!("command of {}", workload.workload);
        findings.push(executable(&what, Path::new(&program)));
    }
    let mut is_good = true;
    for finding in findings {
        match finding {
            Ok(line) => say(&format!("ok   {line}")),
            Err(line) => {
                is_good = false;
                say(&format!("bad  {line}"));
            }
        }
    }
    if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn hub(config: &AgentConfig) -> Result<String, String> {
    let say = |error: &dyn std::fmt::Display| format!("hub: {error}");
    let address = config.hub_address().map_err(|error| say(&error))?;
    let identity = IdentityFolder::new(&config.data)
        .load()
        .map_err(|error| say(&error))?;
    let Some(identity) = identity else {
        reach(&address, &config.hub.address).await?;
        return Ok(format!(
            "hub: {address} answers; this agent is not a member yet"
        ));
    };
    match connect(&address, &identity).await {
        Ok(_) => Ok(format!(
            "hub: {address} takes the certificate of {}, good until {}",
            identity.member.cluster, identity.not_after
        )),
        Err(error) => Err(say(&error)),
    }
}

async fn reach(address: &HubAddress, given: &str) -> Result<(), String> {
    let given = given.strip_prefix("https://").unwrap_or(given);
    match tokio::time::timeout(DEADLINE, TcpStream::connect(given)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("hub: cannot connect to {address}: {error}")),
        Err(_) => Err(format!("hub: {address} does not answer")),
    }
}

fn executable(what: &str, program: &Path) -> Result<String, String> {
    match find(program) {
        Some(path) => Ok(format!("{what}: {}", path.display())),
        None => Err(format!(
            "{what}: {} is not an executable file, here or in PATH",
            program.display()
        )),
    }
}

fn find(program: &Path) -> Option<PathBuf> {
    let runs = |path: &Path| {
        path.metadata()
            .is_ok_and(|of| of.is_file() && of.permissions().mode() & 0o111 != 0)
    };
    if program.components().count() > 1 {
        return runs(program).then(|| program.to_owned());
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders)
        .map(|folder| folder.join(program))
        .find(|path| runs(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_in_path_or_named_as_missing() {
        assert!(executable("shell", Path::new("sh")).is_ok());
        let error = executable("envoy", Path::new("/none/envoy")).unwrap_err();
        assert!(error.contains("/none/envoy"), "{error}");
    }
}
