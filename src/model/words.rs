//! Kinds, states and reasons: enums that are one word each in JSON.

/// Kinds of something, each with its word. Text compares with them, so that a program may keep to the words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[allow(unreachable_pub, reason = "not all of them are told")]
        pub enum $name { $(#[doc = concat!("`", $text, "`.")] $(#[$of])* $variant),+ }

        #[allow(dead_code, unreachable_pub, reason = "not all of them are told")]
        impl $name {
            /// All there are.
            pub const ALL: &[$name] = &[$($name::$variant),+];

            pub(crate) const TEXTS: &[&str] = &[$($text),+];

            /// Its word, as in JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }

            pub(crate) fn from_text(text: &str) -> Option<Self> {
                match text { $($text => Some($name::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        $crate::units::json_schema!($name as stringify!($name), { "type": "string", "enum": $name::TEXTS });

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
                Self::from_text(&text).ok_or_else(|| serde::de::Error::unknown_variant(&text, Self::TEXTS))
            }
        }
    };
}
pub(crate) use words;
