use std::time::Duration;

use usher_testkit::{Folder, Program, run};

#[test]
fn a_program_gets_exactly_its_environment_and_its_words_are_kept() {
    run(async {
        let (code, log) = Program::at("/usr/bin/env")
            .env("ONLY", "this")
            .finish(&Folder::new(), Duration::from_secs(5))
            .await;
        assert_eq!((code, log.as_str()), (0, "ONLY=this\n"));
    });
}

#[test]
fn a_terminated_program_gives_its_exit_code() {
    run(async {
        let waits = Program::at("/bin/sh")
            .arg("-c")
            .arg("trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done");
        let running = waits.start(&Folder::new()).await;
        usher_testkit::eventually(Duration::from_secs(5), "it is up", async || {
            running.log().contains("up").then_some(())
        })
        .await;
        assert_eq!(running.terminate().await, 7);
    });
}
