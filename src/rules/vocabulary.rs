//! The keys of rule files: what each says, what it takes, what holds where it is left out.
//!
//! The compiler reads its keys from here, and so do the guide and the schema for editors. Must not:
//! read files; [`super::compile`] does, and is stricter than the shapes here.

/// A key of a map in a rule file.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What holds where it is left out, in words: `30m`, `none`, `required`.
    pub default: &'static str,
    /// What it says, in a sentence.
    pub about: &'static str,
    /// What it takes.
    pub shape: Shape,
}

impl Key {
    /// Whether it cannot be left out.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.default == "required"
    }
}

/// What may stand as a value.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Any text; numbers and the like are text too.
    Text,
    /// Up to 64 letters, digits, `-`, `_` and `.`.
    Id,
    /// Yes or no.
    Flag,
    /// A whole number.
    Whole,
    /// A whole percentage, with its sign or without.
    WholePercent,
    /// `90s`, `5m`, `24h`, `7d`, `0`.
    Duration,
    /// `10%`.
    Percentage,
    /// `2026-11-30`.
    Date,
    /// `129.90`, `20000 JPY`.
    Money,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A text, or a list of them.
    Texts,
    /// A text for all languages, or one for each.
    Localized,
    /// Conditions.
    Conditions,
    /// Fields with their values.
    Given,
    /// Lints, each with a reason.
    Allow,
    /// A map with these keys.
    Map(&'static [Key]),
    /// A map of names, each with such a value.
    Named(&'static Shape, Names),
    /// A list of such values.
    List(&'static Shape),
    /// Any of these.
    Either(&'static [Shape]),
}

/// What names may be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Letters, digits and `_`, as templates use them.
    Plain,
    /// The same, and `-`.
    Dashed,
    /// Anything.
    Any,
}

macro_rules! keys {
    ($($(#[doc = $doc:literal])* $table:ident, $names:ident:
       $($name:literal, $default:literal, $about:literal, $shape:expr;)*)*) => {
        $(
            $(#[doc = $doc])*
            pub static $table: &[Key] = &[
                $(Key { name: $name, default: $default, about: $about, shape: $shape },)*
            ];
            $(#[doc = $doc])*
            ///
            /// The names alone.
            pub const $names: &[&str] = &[$($name),*];
        )*
    };
}

keys! {
    /// `site.yaml`.
    SITE, SITE_NAMES:
    "name", "the folder's name", "The site's name, for people.", Shape::Text;
    "origins", "any but `null`, with a warning",
        "The pages that may call for this site. `*` may stand for the first labels (`https://*.shop.example`) or for the port (`http://localhost:*`). Values of addresses that begin with `/` mean these origins.",
        Shape::Texts;
    "time_zone", "`UTC`, with a warning where it matters",
        "The zone of `active` dates and of hours that name none.", Shape::Text;
    "currency", "none",
        "The currency of amounts that name none. Without one no amount can be compared.",
        Shape::Text;
    "currencies", "that one", "All currencies that the site takes.",
        Shape::Either(&[Shape::Text, Shape::List(&Shape::Text)]);
    "languages", "`[en]`",
        "Languages that prompts may have. The first that a prompt has is its fallback.",
        Shape::Texts;
    "consent", "`not_required`",
        "`required`: nothing is recorded and nothing offered before the page says `consent: granted`. A `denied` is respected either way, and so is the browser's `Sec-GPC`.",
        Shape::OneOf(&["required", "not_required"]);
    "session", "", "What a session is.", Shape::Map(SESSION);
    "caps", "", "How often a visitor may be prompted.", Shape::Map(CAPS);
    "limits", "none", "The most prompts of all rules together.", Shape::Map(LIMITS);
    "when", "none", "What must also hold for every rule.", Shape::Conditions;
    "hours", "none", "Opening hours by name, in the grammar of OpenStreetMap's opening_hours.",
        Shape::Named(&Shape::Either(&[Shape::Text, Shape::Map(HOURS)]), Names::Plain);
    "acceptance_floor", "`3.5%`", "Read and checked, not acted on in this version.",
        Shape::Percentage;
    "segments", "none",
        "Conditions with a name. A segment may use others, not in a circle.",
        Shape::Named(&Shape::Conditions, Names::Dashed);
    "goals", "none", "What prompts are for.", Shape::Named(&Shape::Map(GOAL), Names::Dashed);
    "variables", "none", "Texts for prompts.", Shape::Named(&Shape::Text, Names::Plain);
    "allow", "none",
        "Lints that are switched off for all files of the site, each with the reason why.",
        Shape::Allow;

    /// `session:` of a site.
    SESSION, SESSION_NAMES:
    "timeout", "`30m`",
        "After a pause of so long the next event begins a new session. From `1m` to `24h`.",
        Shape::Duration;

    /// `caps:` of a site.
    CAPS, CAPS_NAMES:
    "per_session", "`1`", "The most offers in a session.", Shape::Whole;
    "cooldown", "`24h`", "The pause after an offer, in the visitor's other sessions.",
        Shape::Duration;
    "between", "`5m`", "The pause after an offer, in the same session.", Shape::Duration;
    "after_dismissal", "`7d`", "The pause after a dismissal.", Shape::Duration;
    "after_acceptance", "`30d`", "The pause after an acceptance.", Shape::Duration;

    /// `limits:` of a site or a rule.
    LIMITS, LIMITS_NAMES:
    "per_minute", "none", "The most prompts in any minute.", Shape::Whole;
    "per_hour", "none", "The most prompts in any hour.", Shape::Whole;
    "per_day", "none", "The most prompts in any 24 hours.", Shape::Whole;

    /// Hours of a site, where they are more than a text.
    HOURS, HOURS_NAMES:
    "open", "required", "When it is open: `Mo-Fr 09:00-18:00; PH off`.", Shape::Text;
    "holidays", "none", "The country whose holidays `PH` means.", Shape::Text;
    "time_zone", "the site's", "The zone whose wall clock they go by.", Shape::Text;
    "closed", "none", "Days on which it is closed besides.",
        Shape::Either(&[Shape::Date, Shape::List(&Shape::Date)]);

    /// A goal of a site.
    GOAL, GOAL_NAMES:
    "event", "required", "The site's event that reaches it.", Shape::Text;
    "within", "`7d`", "How long after an offer it still counts, from `1m` to `90d`.",
        Shape::Duration;

    /// Any other file than `site.yaml`.
    FILE, FILE_NAMES:
    "rules", "required", "The rules of this file.", Shape::List(&Shape::Map(RULE));

    /// A rule.
    RULE, RULE_NAMES:
    "id", "required",
        "A short name, once in the site: up to 64 of `a-z A-Z 0-9 - _ .`. Metrics and buckets go by it: a new id is a new rule to both.",
        Shape::Id;
    "description", "none", "For people.", Shape::Text;
    "priority", "`0`", "Higher ones are asked first.", Shape::Whole;
    "mode", "`live`",
        "`shadow`: judged and counted, never shown. `off`: not judged.",
        Shape::OneOf(&["live", "shadow", "off"]);
    "active", "always", "Days in the site's zone on which it speaks.", Shape::Map(ACTIVE);
    "hours", "any", "The name of hours, or `{ outside: name }`.",
        Shape::Either(&[Shape::Text, Shape::Map(OUTSIDE)]);
    "when", "always", "The conditions.", Shape::Conditions;
    "repeat", "`always`", "How often one visitor may see it: `once`, `always`, or `{ every: 7d }`.",
        Shape::Either(&[Shape::OneOf(&["once", "always"]), Shape::Map(REPEAT)]);
    "limits", "none", "The most prompts of this rule.", Shape::Map(LIMITS);
    "rollout", "`100%`", "The share of visitors it is for.", Shape::Percentage;
    "holdout", "`0%`", "The share of those it wins for who are kept without it.",
        Shape::Percentage;
    "prompt", "this or `variants`", "What is offered.", Shape::Map(PROMPT);
    "variants", "this or `prompt`", "Prompts that share the visitors.",
        Shape::List(&Shape::Map(VARIANT));
    "examples", "none", "The rule's own tests.", Shape::List(&Shape::Map(EXAMPLE));
    "allow", "none", "Lints that are switched off for this rule, each with the reason why.",
        Shape::Allow;

    /// `active:` of a rule.
    ACTIVE, ACTIVE_NAMES:
    "from", "always", "The first day.", Shape::Date;
    "until", "for ever", "The last day, included.", Shape::Date;

    /// `hours:` of a rule, where they are turned around.
    OUTSIDE, OUTSIDE_NAMES:
    "outside", "required", "The name of hours that it keeps out of.", Shape::Text;

    /// `repeat:` of a rule, where it is more than a word.
    REPEAT, REPEAT_NAMES:
    "every", "required", "The least time between two offers of it to one visitor.",
        Shape::Duration;

    /// A variant of a rule.
    VARIANT, VARIANT_NAMES:
    "id", "required", "A short name, once in the rule.", Shape::Id;
    "weight", "`1`", "Its share among the rule's variants.", Shape::Whole;
    "prompt", "required", "What it offers.", Shape::Map(PROMPT);

    /// A prompt.
    PROMPT, PROMPT_NAMES:
    "title", "none", "A heading.", Shape::Localized;
    "message", "required", "The message.", Shape::Localized;
    "actions", "one button that opens the chat", "What the visitor can do; at most four.",
        Shape::List(&Shape::Map(ACTION));
    "channel", "`chat`", "Where it goes; a name that the site's page knows.", Shape::Id;
    "route", "none", "The team that answers.", Shape::Id;
    "appearance", "none", "Settings that are passed on to the page as they are.",
        Shape::Named(&Shape::Text, Names::Any);

    /// An action of a prompt.
    ACTION, ACTION_NAMES:
    "kind", "required", "Whether it opens a chat or follows a link.",
        Shape::OneOf(&["chat", "link"]);
    "label", "required", "What the button says.", Shape::Localized;
    "url", "required for links", "Where a link leads.", Shape::Localized;

    /// An example of a rule.
    EXAMPLE, EXAMPLE_NAMES:
    "name", "none", "What it is about, for people.", Shape::Text;
    "given", "an ordinary visit", "The visit: fields with their values, and `at`, the moment.",
        Shape::Given;
    "expect", "required", "What should come of it.",
        Shape::Either(&[
            Shape::OneOf(&["show", "not_yet", "no_match"]),
            Shape::Map(EXPECT),
        ]);

    /// `expect:` of an example, where it is more than a word.
    EXPECT, EXPECT_NAMES:
    "stopped_by", "required", "What stops the rule first: a field's name, `off`, `dates`, `hours` or `repeat`.",
        Shape::Text;
}
