//! The last events of a session and what was answered to each, as bytes.
//!
//! Must not: keep a call that is under way; its repeats are let go.

use std::sync::Arc;

use super::PackedError;
use super::bytes::{Reader, Writer};
use crate::domain::decision::{
    Action, ActionKind, Answer, Prompt, Reason, Recheck, ShownOffer, Trigger, Wait,
};
use crate::domain::ids::{DecisionId, SessionId};
use crate::domain::time::Millis;
use crate::store::memory::repeats::{Known, Recent};

/// What is known of an event: the two lowest bits of its head. Above them an answer has its reason,
/// and whether it has an offer and a recheck.
const CUT_OFF: u8 = 0;
const UNASKED: u8 = 1;
const ANSWERED: u8 = 2;
/// The answer names another session than its own; that follows.
const ANSWERED_ELSEWHERE: u8 = 3;
const OFFER: u8 = 1 << 6;
const RECHECK: u8 = 1 << 7;

/// Reasons by number. The order is that of the format: never change it, only add to its end.
const REASONS: [Reason; 10] = [
    Reason::Unavailable,
    Reason::OptedOut,
    Reason::NoConsent,
    Reason::Bot,
    Reason::AlreadyPrompted,
    Reason::Cooldown,
    Reason::RuleMatched,
    Reason::Holdout,
    Reason::NotYet,
    Reason::NoMatch,
];

/// So many of a decision's lowest bits are random; those above are its moment.
const RANDOM_BITS: u32 = 80;
const RANDOM_BYTES: usize = 10;

impl Writer<'_> {
    pub(super) fn recent(&mut self, recent: &Recent, session: &SessionId) {
        let mut versions: Vec<&Arc<str>> = Vec::new();
        for (_, known) in recent.all() {
            if let Known::Answered(answer) = known
                && !versions.contains(&&answer.rules_version)
            {
                versions.push(&answer.rules_version);
            }
        }
        self.texts(versions.iter().map(|version| &***version));
        self.size(recent.all().len());
        for (event, known) in recent.all() {
            self.bytes(&event.to_le_bytes());
            match known {
                Known::CutOff | Known::Pending(_) => self.byte(CUT_OFF),
                Known::Unasked => self.byte(UNASKED),
                Known::Answered(answer) => self.answer(answer, session, &versions),
            }
        }
    }

    fn answer(&mut self, answer: &Answer, session: &SessionId, versions: &[&Arc<str>]) {
        let Answer { reason, session: own, decision, rules_version, offer, recheck } = answer;
        let is_elsewhere = own != session;
        let reason = REASONS.iter().zip(0_u8..).find(|(known, _)| *known == reason);
        let mut head = if is_elsewhere { ANSWERED_ELSEWHERE } else { ANSWERED };
        head |= reason.map_or(0, |(_, number)| number << 2);
        head |= if offer.is_some() { OFFER } else { 0 };
        head |= if recheck.is_some() { RECHECK } else { 0 };
        self.byte(head);
        if is_elsewhere {
            self.page_id(own);
        }
        if versions.len() > 1 {
            self.size(versions.iter().position(|known| *known == rules_version).unwrap_or(0));
        }
        self.decision(*decision);
        if let Some(offer) = offer {
            self.offer(offer);
        }
        if let Some(recheck) = recheck {
            self.recheck(recheck);
        }
    }

    /// A UUID of version 7 begins with its moment, which is close to the session's.
    fn decision(&mut self, DecisionId(id): DecisionId) {
        let millis = i64::try_from(id >> RANDOM_BITS).unwrap_or_default();
        self.signed(millis.wrapping_sub(self.origin));
        let bytes = id.to_be_bytes();
        self.bytes(bytes.get(bytes.len() - RANDOM_BYTES..).unwrap_or_default());
    }

    fn recheck(&mut self, Recheck { after, spread, on }: &Recheck) {
        self.presence(&[after.is_some(), *spread != Millis::ZERO, !on.is_empty()]);
        if let Some(after) = after {
            self.length(*after);
        }
        if *spread != Millis::ZERO {
            self.length(*spread);
        }
        if on.is_empty() {
            return;
        }
        self.size(on.len());
        for Wait { on, not_before } in on {
            let later = u8::from(*not_before != Millis::ZERO) << 2;
            match on {
                Trigger::ExitIntent => self.byte(later),
                Trigger::ScrollPercent(depth) => self.bytes(&[later | 1, *depth]),
                Trigger::Idle(length) => {
                    self.byte(later | 2);
                    self.length(*length);
                }
                Trigger::Event(name) => {
                    self.byte(later | 3);
                    self.text(name);
                }
            }
            if later != 0 {
                self.length(*not_before);
            }
        }
    }

    fn offer(&mut self, ShownOffer { rule, variant, prompt }: &ShownOffer) {
        let Prompt { title, message, language, actions, channel, route, appearance } = prompt;
        self.presence(&[title.is_some(), route.is_some()]);
        for text in [rule, variant, language, channel] {
            self.text(text);
        }
        self.text(message);
        if let Some(title) = title {
            self.text(title);
        }
        if let Some(route) = route {
            self.text(route);
        }
        self.size(actions.len());
        for Action { kind, label, url } in actions {
            self.presence(&[*kind == ActionKind::Link, url.is_some()]);
            self.text(label);
            if let Some(url) = url {
                self.text(url);
            }
        }
        self.size(appearance.len());
        for (name, value) in &**appearance {
            self.text(name);
            self.text(value);
        }
    }
}

impl Reader<'_> {
    pub(super) fn recent(&mut self, session: &SessionId) -> Result<Recent, PackedError> {
        let versions: Vec<Arc<str>> = self.texts()?;
        let known = self.list(|reader| {
            let event = u64::from_le_bytes(reader.array()?);
            let head = reader.byte()?;
            let known = match head & 3 {
                CUT_OFF => Known::CutOff,
                UNASKED => Known::Unasked,
                _ => Known::Answered(Arc::new(reader.answer(head, session, &versions)?)),
            };
            Ok((event, known))
        })?;
        Ok(Recent::of(known))
    }

    fn answer(
        &mut self,
        head: u8,
        session: &SessionId,
        versions: &[Arc<str>],
    ) -> Result<Answer, PackedError> {
        let reason = REASONS.get(usize::from(head >> 2 & 0xf));
        let reason = *reason.ok_or(PackedError::Value("reason"))?;
        let own = self.maybe(head & 3 == ANSWERED_ELSEWHERE, Self::page_id)?;
        let version = if versions.len() > 1 { self.index()? } else { 0 };
        let version = versions.get(version).ok_or(PackedError::Value("version of the rules"))?;
        Ok(Answer {
            reason,
            session: own.unwrap_or_else(|| session.clone()),
            decision: self.decision()?,
            rules_version: version.clone(),
            offer: self.maybe(head & OFFER != 0, Self::offer)?.map(Arc::new),
            recheck: self.maybe(head & RECHECK != 0, Self::recheck)?,
        })
    }

    fn decision(&mut self) -> Result<DecisionId, PackedError> {
        let millis = u64::try_from(self.time()?.0).ok().filter(|millis| millis >> 48 == 0);
        let millis = millis.ok_or(PackedError::Value("decision"))?;
        let random: [u8; RANDOM_BYTES] = self.array()?;
        let random = random.iter().fold(0, |bits, byte| bits << 8 | u128::from(*byte));
        Ok(DecisionId(u128::from(millis) << RANDOM_BITS | random))
    }

    fn recheck(&mut self) -> Result<Recheck, PackedError> {
        let [has_after, has_spread, has_waits] = self.presence()?;
        Ok(Recheck {
            after: self.maybe(has_after, Self::length)?,
            spread: self.maybe(has_spread, Self::length)?.unwrap_or_default(),
            on: if has_waits { self.list(Self::wait)? } else { Vec::new() },
        })
    }

    fn wait(&mut self) -> Result<Wait, PackedError> {
        let head = self.byte()?;
        let on = match head & 3 {
            0 => Trigger::ExitIntent,
            1 => Trigger::ScrollPercent(self.byte()?),
            2 => Trigger::Idle(self.length()?),
            _ => Trigger::Event(self.text()?.into()),
        };
        let not_before = self.maybe(head & 4 != 0, Self::length)?.unwrap_or_default();
        Ok(Wait { on, not_before })
    }

    fn offer(&mut self) -> Result<ShownOffer, PackedError> {
        let [has_title, has_route] = self.presence()?;
        let rule = self.text()?.into();
        let variant = self.text()?.into();
        let language = self.text()?.into();
        let channel = self.text()?.into();
        let message = self.text()?.into_owned();
        let title = self.maybe(has_title, |reader| Ok(reader.text()?.into_owned()))?;
        let route = self.maybe(has_route, |reader| Ok(reader.text()?.into()))?;
        let actions = self.list(|reader| {
            let [is_link, has_url] = reader.presence()?;
            Ok(Action {
                kind: if is_link { ActionKind::Link } else { ActionKind::Chat },
                label: reader.text()?.into_owned(),
                url: reader.maybe(has_url, |reader| Ok(reader.text()?.into_owned()))?,
            })
        })?;
        let appearance =
            self.list(|reader| Ok((reader.text()?.into_owned(), reader.text()?.into_owned())))?;
        let appearance = Arc::new(appearance.into_iter().collect());
        let prompt = Prompt { title, message, language, actions, channel, route, appearance };
        Ok(ShownOffer { rule, variant, prompt })
    }
}
