//! What a dashboard reads: series that start at 0, keep counting, and go with their rule.
#![allow(clippy::panic, missing_docs, reason = "a test may fail by panicking")]

use std::time::Duration;

use koekake::domain::decision::Reason;
use koekake::domain::ids::SiteKey;
use koekake::domain::money::{Amount, Currency};
use koekake::domain::time::Timestamp;
use koekake::metrics::{GeoipResult, Metrics, PromptStage, RuleSeries, SiteSeries, StoreOperation};

fn rule(id: &'static str) -> RuleSeries<'static> {
    RuleSeries {
        id,
        variants: vec!["a", "b"],
        stops: vec!["hours", "page.path", "hours"],
        is_shadow: false,
    }
}

/// The value of a series as written, or `None` where there is none.
fn value(metrics: &Metrics, series: &str) -> Option<String> {
    let text = metrics.render();
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map(str::to_owned)
}

fn site() -> SiteKey {
    "demo-shop".into()
}

const OFFERED: &str =
    r#"koekake_prompts_total{rule="help",site="demo-shop",stage="offered",variant="b"}"#;
const STOPPED: &str = r#"koekake_rule_stopped_total{by="hours",rule="help",site="demo-shop"}"#;
const OTHER_RULE: &str =
    r#"koekake_rule_stopped_total{by="page.path",rule="gone",site="demo-shop"}"#;

#[test]
fn series_of_rules_start_at_0_and_go_with_their_rule() {
    let metrics = Metrics::new();
    let rules = [rule("gone"), rule("help")];
    let before = metrics.site(&site(), &SiteSeries { rules: &rules, currencies: &[] });
    for series in [OFFERED, STOPPED, OTHER_RULE] {
        assert_eq!(value(&metrics, series).as_deref(), Some("0"), "{series}");
    }
    before.rule(1).prompt(1, PromptStage::Offered);
    before.rule(1).stopped(0);
    before.rule(1).stopped(2);
    let rules = [rule("help"), rule("new")];
    let after = metrics.site(&site(), &SiteSeries { rules: &rules, currencies: &[] });
    assert_eq!(value(&metrics, OTHER_RULE), None, "its rule went");
    after.rule(0).prompt(1, PromptStage::Offered);
    before.rule_named("help").prompt(1, PromptStage::Offered);
    before.rule_named("gone").stopped(1);
    assert_eq!(value(&metrics, OFFERED).as_deref(), Some("3"), "it keeps counting");
    assert_eq!(value(&metrics, STOPPED).as_deref(), Some("2"));
    assert_eq!(value(&metrics, OTHER_RULE), None);
    metrics.forget_site(&site());
    assert!(!metrics.render().contains("demo-shop"), "{}", metrics.render());
}

#[test]
fn a_place_or_name_that_is_not_there_counts_nothing() {
    let metrics = Metrics::new();
    let handles = metrics.site(&site(), &SiteSeries { rules: &[rule("help")], currencies: &[] });
    let before = metrics.render().lines().filter(|line| line.contains("demo-shop")).count();
    handles.rule(7).stopped(0);
    handles.rule(0).stopped(7);
    handles.rule(0).prompt(7, PromptStage::Shown);
    handles.rule_named("nobody").prompt(0, PromptStage::Shown);
    assert_eq!(handles.rule(0).variant_named("b"), Some(1));
    assert_eq!(handles.rule(0).variant_named("z"), None);
    let after = metrics.render();
    assert_eq!(after.lines().filter(|line| line.contains("demo-shop")).count(), before);
    assert_eq!(value(&metrics, STOPPED).as_deref(), Some("0"));
}

#[test]
fn every_reason_is_counted_under_its_word() {
    let metrics = Metrics::new();
    let handles = metrics.site(&site(), &SiteSeries::default());
    for (times, reason) in (1..).zip(Reason::ALL) {
        (0..times).for_each(|_| handles.decision(reason));
    }
    for (times, reason) in (1..).zip(Reason::ALL) {
        let series =
            format!(r#"koekake_decisions_total{{reason="{}",site="demo-shop"}}"#, reason.as_str());
        let times: i32 = times;
        assert_eq!(value(&metrics, &series), Some(times.to_string()), "{series}");
    }
}

#[test]
fn currencies_are_bounded_by_the_site() {
    let metrics = Metrics::new();
    let (Some(jpy), Some(usd)) = (Currency::parse("JPY"), Currency::parse("USD")) else {
        panic!("they are currencies")
    };
    let rules = [rule("help")];
    let handles = metrics.site(&site(), &SiteSeries { rules: &rules, currencies: &[jpy] });
    for (amount, currency) in [("129.5", jpy), ("1", usd), ("-5", jpy)] {
        let Some(amount) = Amount::parse(amount) else { panic!("{amount} is an amount") };
        handles.rule(0).conversion_value(0, amount, currency);
    }
    let series = |currency: &str| {
        format!(
            r#"koekake_conversion_value_total{{currency="{currency}",rule="help",site="demo-shop",variant="a"}}"#
        )
    };
    assert_eq!(value(&metrics, &series("JPY")).as_deref(), Some("129.5"));
    assert_eq!(value(&metrics, &series("other")).as_deref(), Some("1"));
    assert_eq!(value(&metrics, &series("USD")), None);
}

#[test]
fn routes_methods_and_statuses_are_bounded() {
    let metrics = Metrics::new();
    let http = metrics.http(&["/v1/decide"]);
    let took = Duration::from_millis(3);
    http.observe(Some("/v1/decide"), "POST", 200, took);
    http.observe(Some("/secret/4711"), "BREW", 999, took);
    http.observe(None, "GET", 404, took);
    let requests = |route: &str, method: &str, status: &str| {
        let series = format!(
            r#"koekake_http_requests_total{{method="{method}",route="{route}",status="{status}"}}"#
        );
        value(&metrics, &series)
    };
    assert_eq!(requests("/v1/decide", "POST", "200").as_deref(), Some("1"));
    assert_eq!(requests("other", "other", "other").as_deref(), Some("1"));
    assert_eq!(requests("other", "GET", "404").as_deref(), Some("1"));
    assert!(!metrics.render().contains("4711"));
    let count = r#"koekake_http_request_duration_seconds_count{route="other"}"#;
    assert_eq!(value(&metrics, count).as_deref(), Some("2"));
}

#[test]
fn loading_rules_tells_when_it_worked() {
    let metrics = Metrics::new();
    metrics.rules_accepted(&site(), 9, Timestamp(1_700_000_000_500));
    metrics.rules_rejected(&site());
    let of = |name: &str| value(&metrics, &format!(r#"{name}{{site="demo-shop"}}"#));
    assert_eq!(of("koekake_rules_loaded").as_deref(), Some("9"));
    assert_eq!(of("koekake_rules_last_reload_successful").as_deref(), Some("0"));
    let at = of("koekake_rules_last_success_timestamp_seconds");
    assert_eq!(at.as_deref(), Some("1700000000.5"));
    for result in ["accepted", "rejected"] {
        let series =
            format!(r#"koekake_rules_reloads_total{{result="{result}",site="demo-shop"}}"#);
        assert_eq!(value(&metrics, &series).as_deref(), Some("1"));
    }
}

#[test]
fn a_stores_own_figures_are_taken_over_and_only_grow_where_they_count() {
    let metrics = Metrics::new();
    metrics.site(&site(), &SiteSeries::default());
    let active = r#"koekake_sessions_active{site="demo-shop"}"#;
    let evicted = r#"koekake_sessions_evicted_total{cause="full"}"#;
    metrics.refresh_sessions(&[(site(), 5), ("unknown".into(), 7)], &[("full", 2)]);
    assert_eq!(value(&metrics, active).as_deref(), Some("5"));
    assert_eq!(value(&metrics, evicted).as_deref(), Some("2"));
    metrics.refresh_sessions(&[], &[("full", 1)]);
    metrics.refresh_sessions(&[], &[("full", 3)]);
    assert_eq!(value(&metrics, active).as_deref(), Some("0"));
    assert_eq!(value(&metrics, evicted).as_deref(), Some("3"));
    assert!(!metrics.render().contains(r#"site="unknown""#));
}

#[test]
fn the_rest_is_there_under_the_contracts_names() {
    let metrics = Metrics::new();
    metrics.decided_in(Duration::from_micros(7));
    metrics.store_did(StoreOperation::Claim, Duration::from_micros(1), true);
    metrics.geoip_lookup(GeoipResult::NotFound);
    assert!(!metrics.render().contains("koekake_geoip_build_timestamp_seconds"), "no database");
    metrics.geoip_built(1_760_000_000);
    metrics.geoip_built(1_770_000_000);
    for (series, expected) in [
        (r#"koekake_decide_duration_seconds_bucket{le="0.000005"}"#, "0"),
        (r#"koekake_decide_duration_seconds_bucket{le="0.00001"}"#, "1"),
        (r#"koekake_decide_duration_seconds_bucket{le="1"}"#, "1"),
        (r#"koekake_store_errors_total{operation="claim"}"#, "1"),
        (r#"koekake_store_errors_total{operation="observe"}"#, "0"),
        (r#"koekake_store_operation_duration_seconds_count{operation="claim"}"#, "1"),
        (r#"koekake_geoip_lookups_total{result="not_found"}"#, "1"),
        ("koekake_geoip_build_timestamp_seconds", "1770000000"),
    ] {
        assert_eq!(value(&metrics, series).as_deref(), Some(expected), "{series}");
    }
    let text = metrics.render();
    assert!(text.contains("koekake_build_info{revision="), "{text}");
    assert!(!cfg!(target_os = "linux") || text.contains("process_resident_memory_bytes"));
}
