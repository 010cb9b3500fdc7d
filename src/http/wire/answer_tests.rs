//! Answers, byte for byte as the contract shows them.

use std::sync::Arc;

use super::*;
use crate::domain::decision::{Action, Prompt, Reason, Wait};
use crate::domain::ids::PageId;

fn answer() -> Answer {
    Answer {
        reason: Reason::NotYet,
        session: PageId::parse("0192f0c1b6d27c1e8a3f5b0d9e7a4c21").unwrap(),
        decision: DecisionId(0x0192_f0c1_b6d2_7c1e_8a3f_5b0d_9e7a_4c22),
        rules_version: "9f2c".into(),
        offer: None,
        recheck: None,
    }
}

#[test]
fn a_prompt_as_the_contract_shows_it() {
    let prompt = Prompt {
        title: None,
        message: "「ご質問」は？".to_owned(),
        language: "ja".into(),
        actions: vec![
            Action { kind: ActionKind::Chat, label: "話す".to_owned(), url: None },
            Action {
                kind: ActionKind::Link,
                label: "Plans".to_owned(),
                url: Some("/compare".to_owned()),
            },
        ],
        channel: "chat".into(),
        route: Some("sales".into()),
        appearance: Arc::default(),
    };
    let offer = ShownOffer { rule: "pricing-help".into(), variant: "a".into(), prompt };
    let answer = Answer { reason: Reason::RuleMatched, offer: Some(Arc::new(offer)), ..answer() };
    assert_eq!(
        String::from_utf8(answer_json(&answer)).unwrap(),
        concat!(
            r#"{"show":true,"reason":"rule_matched","session_id":"0192f0c1b6d27c1e8a3f5b0d9e7a4c21","#,
            r#""decision_id":"0192f0c1b6d27c1e8a3f5b0d9e7a4c22","rule":"pricing-help","variant":"a","rules_version":"9f2c","#,
            r#""prompt":{"title":null,"message":"「ご質問」は？","language":"ja","#,
            r#""actions":[{"kind":"chat","label":"話す"},{"kind":"link","label":"Plans","url":"/compare"}],"#,
            r#""channel":"chat","route":"sales","appearance":{}},"recheck":null}"#,
        )
    );
}

#[test]
fn a_wait_as_the_contract_shows_it() {
    let wait = |on, not_before| Wait { on, not_before: Millis(not_before) };
    let recheck = Recheck {
        after: Some(Millis(41_000)),
        spread: Millis::ZERO,
        on: vec![
            wait(Trigger::ExitIntent, 60_000),
            wait(Trigger::ScrollPercent(50), 0),
            wait(Trigger::Idle(Millis(45_000)), 0),
            wait(Trigger::Event("form_error".into()), 0),
        ],
    };
    let answer = Answer { recheck: Some(recheck), ..answer() };
    assert_eq!(
        String::from_utf8(answer_json(&answer)).unwrap(),
        concat!(
            r#"{"show":false,"reason":"not_yet","session_id":"0192f0c1b6d27c1e8a3f5b0d9e7a4c21","#,
            r#""decision_id":"0192f0c1b6d27c1e8a3f5b0d9e7a4c22","rules_version":"9f2c","#,
            r#""recheck":{"after_ms":41000,"spread_ms":0,"on":[{"signal":"exit_intent","not_before_ms":60000},"#,
            r#"{"scroll_percent":50},{"idle_ms":45000},{"event":"form_error"}]}}"#,
        )
    );
}

#[test]
fn nothing_to_wait_for_is_null_and_only_events_have_no_time() {
    assert!(String::from_utf8(answer_json(&answer())).unwrap().ends_with(r#","recheck":null}"#));
    let recheck = Recheck {
        after: None,
        spread: Millis::ZERO,
        on: vec![Wait { on: Trigger::ExitIntent, not_before: Millis::ZERO }],
    };
    let answer = Answer { recheck: Some(recheck), ..answer() };
    assert!(String::from_utf8(answer_json(&answer)).unwrap().ends_with(
        r#""recheck":{"after_ms":null,"spread_ms":0,"on":[{"signal":"exit_intent"}]}}"#
    ));
}
