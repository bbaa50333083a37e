//! The examples that people copy speak of settings and commands that there are.

use std::time::Duration;

use usher_shared::foundation::config::settings;
use usher_testkit::{Folder, Program, run};

const COMPOSE: &str = include_str!("../../docker-compose.yml");
const KUBERNETES: [&str; 5] = [
    include_str!("../../docs/operating/kubernetes/settings.yaml"),
    include_str!("../../docs/operating/kubernetes/migrate.yaml"),
    include_str!("../../docs/operating/kubernetes/api.yaml"),
    include_str!("../../docs/operating/kubernetes/admin.yaml"),
    include_str!("../../docs/operating/kubernetes/worker.yaml"),
];

/// Names in capitals in front of a colon, but for those of other programs.
fn settings_in(text: &str) -> Vec<&str> {
    let names = text.lines().filter_map(|line| line.trim().split_once(": "));
    let is_name = |name: &str| name.len() > 3 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    names
        .map(|(name, _)| name)
        .filter(|name| is_name(name) && !name.starts_with("POSTGRES_"))
        .collect()
}

/// What stands behind `usher` in the commands of a file.
fn commands_in(text: &str) -> Vec<Vec<String>> {
    let commands = text.lines().filter_map(|line| line.trim().strip_prefix("command: "));
    let words = commands.map(|command| command.replace(['[', ']', ','], " "));
    words
        .filter_map(|command| {
            let mut words = command.split_whitespace().map(str::to_owned);
            (words.next()? == "usher").then(|| words.collect())
        })
        .collect()
}

#[test]
fn examples_name_settings_that_there_are() {
    for text in [COMPOSE, KUBERNETES[0]] {
        let names = settings_in(text);
        assert!(names.len() >= 7, "{names:?}");
        for name in names {
            let all = settings();
            let known = all.get_arguments().any(|arg| arg.get_env() == Some(name.as_ref()));
            assert!(known, "{name} is not a setting");
        }
    }
}

#[test]
fn examples_run_commands_that_there_are() {
    run(async {
        let (folder, mut commands) = (Folder::new(), commands_in(COMPOSE));
        commands.extend(KUBERNETES.iter().flat_map(|text| commands_in(text)));
        assert_eq!(commands.len(), 8, "{commands:?}");
        for command in commands {
            let usher = command
                .iter()
                .fold(Program::named("usher"), |usher, word| usher.arg(word));
            let (code, help) = usher.arg("--help").finish(&folder, Duration::from_secs(30)).await;
            assert_eq!(code, 0, "usher {command:?}: {help}");
        }
    });
}
