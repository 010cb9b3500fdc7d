//! One call to decide, from the visit to the answer.

use std::sync::Arc;

use super::live::LiveSite;
use super::recent::{Kept, Snapshot};
use super::{Service, answer, session_key, visitors};
use crate::domain::caps::{Claim, Claimed, Refusal};
use crate::domain::decision::{Answer, Reason};
use crate::domain::facts::{AgentBoard, Facts};
use crate::domain::history::SessionMark;
use crate::domain::ids::{SessionKey, VisitorKey};
use crate::domain::time::Timestamp;
use crate::domain::visit::{Consent, Page, Visit};
use crate::engine::{self, RuleState, Verdict};
use crate::metrics::{PromptStage, StoreOperation};
use crate::rules::model::{Rule, RuleSet};
use crate::store::{Judged, Observation, Observed, Pending, Reply, Seen, Store, StoreError};

/// How often a claim that was refused for its rule's sake gives lower rules their turn. More
/// happens only where limits of several rules fill up within one request.
const MAX_TURNS: usize = 8;

/// What rules were offered to everybody, as this node knows it.
pub(super) struct Limits<'a, S: Store> {
    pub(super) store: &'a S,
    pub(super) set: &'a RuleSet,
    pub(super) now: Timestamp,
}

impl<S: Store> RuleState for Limits<'_, S> {
    fn is_site_limit_reached(&self) -> bool {
        let site = &self.set.site;
        !site.limits.is_empty()
            && self.store.is_limit_reached(&site.key, None, &site.limits, self.now)
    }

    fn is_limit_reached(&self, rule: &Rule) -> bool {
        let site = &self.set.site;
        !rule.limits.is_empty()
            && self.store.is_limit_reached(&site.key, Some(&rule.id), &rule.limits, self.now)
    }
}

/// A judge's word: the verdict, and the claim that it leads to.
struct Word {
    verdict: Verdict,
    claim: Option<Claim>,
    /// What was seen, where decisions are kept to be explained.
    seen: Option<Box<Snapshot>>,
}

/// One call, and all that is looked at to answer it.
struct Call<'a> {
    live: &'a LiveSite,
    visit: &'a Visit,
    page: &'a Page,
    key: SessionKey,
    visitors: Vec<VisitorKey>,
    agents: Arc<AgentBoard>,
    now: Timestamp,
    witness: &'a dyn Witness,
}

/// Sees each judging of a call as it happens, facts and all, and changes nothing.
pub trait Witness: Sync {
    /// A visit was judged. Where a claim is refused for its rule's sake, it is once more.
    fn judged(&self, set: &RuleSet, facts: &Facts<'_>, verdict: &Verdict);
}

struct Unwatched;

impl Witness for Unwatched {
    fn judged(&self, _set: &RuleSet, _facts: &Facts<'_>, _verdict: &Verdict) {}
}

impl Call<'_> {
    fn set(&self) -> &RuleSet {
        &self.live.set
    }

    fn silent(&self, verdict: &Verdict) -> Arc<Answer> {
        answer::silent(self.set(), &self.key, verdict, self.now)
    }

    fn unavailable(&self, error: &StoreError) -> Arc<Answer> {
        let site = &self.set().site.key;
        tracing::warn!(%site, %error, "no prompt, as none can be known to be allowed");
        self.live.count(Reason::Unavailable, None);
        self.silent(&Verdict::closed(Reason::Unavailable))
    }
}

impl<S: Store> Service<S> {
    /// Records what happened on a page and answers whether to offer a prompt now. What cannot be
    /// known is answered as `unavailable`.
    pub async fn decide(
        &self,
        live: &LiveSite,
        visit: &Visit,
        page: &Page,
        now: Timestamp,
    ) -> Arc<Answer> {
        self.decide_before(live, visit, page, now, &Unwatched).await
    }

    /// As [`Service::decide`], before a witness.
    pub async fn decide_before(
        &self,
        live: &LiveSite,
        visit: &Visit,
        page: &Page,
        now: Timestamp,
        witness: &dyn Witness,
    ) -> Arc<Answer> {
        let (key, is_issued) = session_key(visit);
        let now = visit.event.at.unwrap_or(now);
        let agents = self.store.agents(&live.set.site.key, now);
        let visitors = visitors(visit);
        let call = Call { live, visit, page, key, visitors, agents, now, witness };
        match self.try_decide(&call, is_issued).await {
            Ok(answer) => answer,
            Err(error) => call.unavailable(&error),
        }
    }

    async fn try_decide(
        &self,
        call: &Call<'_>,
        is_issued: bool,
    ) -> Result<Arc<Answer>, StoreError> {
        let Call { live, visit, key, visitors, now, .. } = call;
        let skipped = self.unrecorded(live, visit, key, visitors, is_issued, *now).await?;
        if let Some(reason) = skipped {
            live.count(reason, None);
            return Ok(call.silent(&Verdict::closed(reason)));
        }
        let observation = Observation {
            key,
            visitors,
            visit,
            page: Some(call.page),
            timeout: call.set().site.session_timeout,
            now: *now,
        };
        let judge = |seen: Seen<'_>| {
            let word = self.judge(call, &seen, &[]);
            let answer = word
                .claim
                .is_none()
                .then(|| answer::silent(call.set(), key, &word.verdict, seen.now));
            let reply = answer.clone().map_or(Reply::Later, Reply::Given);
            let shadows = names(call.set(), &word.verdict.shadows);
            Judged { value: (word, seen.mark, answer), reply, shadows }
        };
        let (mut word, mark, answer, pending) = match self
            .timed(StoreOperation::Observe, self.store.observe(observation, judge))
            .await?
        {
            Observed::Repeat(answer) => {
                if answer.show() {
                    self.durable().await?;
                }
                return Ok(answer);
            }
            Observed::Denied => {
                live.count(Reason::NoConsent, None);
                return Ok(call.silent(&Verdict::closed(Reason::NoConsent)));
            }
            // Recorded by a call that asked for no answer: there is none to give again.
            Observed::RepeatUnanswered => {
                return Ok(call.silent(&Verdict::closed(Reason::NoMatch)));
            }
            Observed::Fresh { value: (word, mark, answer), is_new_session, pending, shadows } => {
                if is_new_session {
                    live.metrics.session_started();
                }
                for rule in &shadows {
                    live.metrics.rule_named(rule).shadow_matched();
                }
                (word, mark, answer, pending)
            }
        };
        if let Err(error) = self.goals(live, key, visitors, &visit.event.kind, None, *now).await {
            tracing::warn!(site = %call.set().site.key, %error, "a goal is not counted");
        }
        let seen = word.seen.take();
        if let Some(answer) = answer {
            live.count(word.verdict.reason, Some(&word.verdict));
            self.keep(call, seen, &answer);
            return Ok(answer);
        }
        let offered = self.offer(call, word, mark).await;
        let (answer, is_granted) =
            offered.unwrap_or_else(|error| (call.unavailable(&error), false));
        self.keep(call, seen, &answer);
        if is_granted {
            return Ok(finish(pending, answer));
        }
        // Repeats get this very answer, also where it is that nothing can be known.
        if let Some(pending) = pending {
            self.store.settle(key, pending, answer.clone()).await;
        }
        Ok(answer)
    }

    /// Claims what the rules want to offer, and gives lower rules their turn where a claim is
    /// refused for its rule's sake. The answer, and whether a claim was granted for it.
    async fn offer(
        &self,
        call: &Call<'_>,
        word: Word,
        mark: SessionMark,
    ) -> Result<(Arc<Answer>, bool), StoreError> {
        let Word { mut verdict, mut claim, .. } = word;
        let mut refused = Vec::new();
        while let Some(wanted) = claim.take() {
            match self.timed(StoreOperation::Claim, self.store.claim(&wanted)).await? {
                Claimed::Granted => {
                    if wanted.is_prompt {
                        self.durable().await?;
                    }
                    count_granted(call.live, &wanted, &verdict);
                    return Ok((wanted.answer, true));
                }
                Claimed::Refused(Refusal::RuleLimit | Refusal::SiteLimit | Refusal::Repeat)
                    if refused.len() < MAX_TURNS =>
                {
                    refused.extend(verdict.win.map(|win| win.rule));
                    let again = |seen: Seen<'_>| self.judge(call, &seen, &refused);
                    match self
                        .timed(
                            StoreOperation::Look,
                            self.store.look(&call.key, mark, &call.visitors, again),
                        )
                        .await?
                    {
                        Some(next) => Word { verdict, claim, .. } = next,
                        None => verdict = Verdict::closed(Reason::NoMatch),
                    }
                }
                Claimed::Refused(refusal) => verdict = Verdict::closed(reason_of(refusal)),
            }
        }
        call.live.count(verdict.reason, Some(&verdict));
        Ok((call.silent(&verdict), false))
    }

    /// Why nothing of a call is recorded, where nothing is.
    pub(super) async fn unrecorded(
        &self,
        live: &LiveSite,
        visit: &Visit,
        key: &SessionKey,
        visitors: &[VisitorKey],
        is_issued: bool,
        now: Timestamp,
    ) -> Result<Option<Reason>, StoreError> {
        let site = &live.set.site;
        let said = match visit.consent {
            None if !is_issued => self.store.consent(key, site.session_timeout, now).await?,
            said => said,
        };
        let reason = match said {
            Some(Consent::Denied) => Some(Reason::NoConsent),
            None if site.is_consent_required => Some(Reason::NoConsent),
            _ if visit.device.is_bot => Some(Reason::Bot),
            _ => None,
        };
        let Some(reason) = reason else { return Ok(None) };
        if visit.consent == Some(Consent::Denied) {
            self.timed(StoreOperation::Forget, self.store.deny(key, site.session_timeout, now))
                .await?;
            self.recent.forget_session(key);
        }
        // Only a history that is there already can tell of an opt-out; none is begun.
        let is_opted_out = !visitors.is_empty()
            && self
                .timed(StoreOperation::History, self.store.history(visitors))
                .await?
                .is_opted_out;
        Ok(Some(if is_opted_out { Reason::OptedOut } else { reason }))
    }

    fn judge(&self, call: &Call<'_>, seen: &Seen<'_>, refused: &[usize]) -> Word {
        let set = call.set();
        let facts = Facts {
            now: seen.now,
            session_id: &call.key.id,
            visit: call.visit,
            page: call.page,
            session: seen.session,
            history: seen.history,
            agents: &call.agents,
        };
        let limits = Limits { store: &*self.store, set, now: seen.now };
        let verdict = engine::decide(set, &facts, &limits, refused);
        let claim = verdict
            .win
            .and_then(|win| answer::claim(set, &call.key, call.visit, seen, &facts, win));
        call.witness.judged(set, &facts, &verdict);
        let is_kept = self.recent.is_on() && refused.is_empty();
        let seen = is_kept.then(|| Box::new(Snapshot::of(set, &facts, &call.agents, &verdict)));
        Word { verdict, claim, seen }
    }

    /// Keeps a decision to be explained.
    fn keep(&self, call: &Call<'_>, seen: Option<Box<Snapshot>>, answer: &Arc<Answer>) {
        let Some(snapshot) = seen else { return };
        self.recent.keep(Kept {
            answer: answer.clone(),
            set: call.live.set.clone(),
            key: call.key.clone(),
            visit: call.visit.clone(),
            page: call.page.clone(),
            snapshot: *snapshot,
        });
    }
}

fn count_granted(live: &LiveSite, claim: &Claim, verdict: &Verdict) {
    live.count(claim.answer.reason, Some(verdict));
    if let Some(win) = verdict.win {
        let stage = if claim.is_prompt { PromptStage::Offered } else { PromptStage::HeldOut };
        live.metrics.rule(win.rule).prompt(win.variant, stage);
    }
}

fn finish(pending: Option<Pending>, answer: Arc<Answer>) -> Arc<Answer> {
    if let Some(pending) = pending {
        pending.resolve(answer.clone());
    }
    answer
}

fn names(set: &RuleSet, rules: &[usize]) -> Vec<Arc<str>> {
    rules.iter().filter_map(|index| set.rules.get(*index)).map(|rule| rule.id.clone()).collect()
}

fn reason_of(refusal: Refusal) -> Reason {
    match refusal {
        Refusal::SessionCap => Reason::AlreadyPrompted,
        Refusal::HeldOut => Reason::Holdout,
        Refusal::Cooldown => Reason::Cooldown,
        Refusal::OptedOut => Reason::OptedOut,
        Refusal::Repeat | Refusal::RuleLimit | Refusal::SiteLimit | Refusal::SessionOver => {
            Reason::NoMatch
        }
    }
}
