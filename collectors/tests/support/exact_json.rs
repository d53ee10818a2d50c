//! A JSON reader of the tests' own, which keeps the text of every number and the order of keys: what the decoders say is compared with it,
//! and frames are written anew from it in other shapes.

use super::dice::Dice;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`, `true`, `false` or a number, as it is spelt.
    Bare(String),
    /// A string, without its escapes.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// Keys and values in order.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a well-formed text; panics at any other.
    pub fn read(text: &str) -> Json {
        let mut reader = Reader { rest: text };
        let value = reader.value();
        assert_eq!(reader.rest.trim_start(), "", "text after a value");
        value
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text of a string, number or word; panics at lists and objects.
    pub fn text(&self) -> &str {
        match self {
            Json::Bare(text) | Json::Text(text) => text,
            other => panic!("{other:?} is neither string nor number"),
        }
    }

    /// The members of a list; panics at anything else.
    pub fn list(&self) -> &[Json] {
        match self {
            Json::List(members) => members,
            other => panic!("{other:?} is no list"),
        }
    }

    /// The same value in another shape: keys in another order and some more of them, white space anywhere, characters as escapes.
    pub fn scrambled(&self, dice: &mut Dice) -> String {
        let mut out = String::new();
        self.write(dice, &mut out, true);
        space(dice, &mut out);
        out
    }

    fn write(&self, dice: &mut Dice, out: &mut String, may_grow: bool) {
        space(dice, out);
        match self {
            Json::Bare(text) => out.push_str(text),
            Json::Text(text) => write_text(text, dice, out),
            Json::List(members) => {
                out.push('[');
                for (index, member) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    member.write(dice, out, may_grow);
                    space(dice, out);
                }
                space(dice, out);
                out.push(']');
            }
            Json::Object(entries) => {
                let extra = (
                    "x_extra".to_owned(),
                    Json::read(r#"{"a":[null,{"b":"\"]}"}],"c":-1.5e3}"#),
                );
                let mut entries: Vec<(&(String, Json), bool)> = entries.iter().map(|entry| (entry, may_grow)).collect();
                if may_grow && dice.one_in(4) {
                    entries.push((&extra, false));
                }
                dice.shuffle(&mut entries);
                out.push('{');
                for (index, ((key, value), may_grow)) in entries.into_iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    space(dice, out);
                    write_text(key, dice, out);
                    space(dice, out);
                    out.push(':');
                    value.write(dice, out, may_grow);
                    space(dice, out);
                }
                out.push('}');
            }
        }
    }
}

fn space(dice: &mut Dice, out: &mut String) {
    while dice.one_in(4) {
        out.push([' ', '\t', '\n', '\r'][dice.below(4)]);
    }
}

fn write_text(text: &str, dice: &mut Dice, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '/' if dice.one_in(2) => out.push_str("\\/"),
            _ if dice.one_in(6) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn value(&mut self) -> Json {
        self.rest = self.rest.trim_start();
        match self.rest.as_bytes()[0] {
            b'{' => Json::Object(self.members('}', |reader| {
                reader.rest = reader.rest.trim_start();
                let key = reader.string();
                reader.rest = reader.rest.trim_start().strip_prefix(':').expect("`:` after a key");
                (key, reader.value())
            })),
            b'[' => Json::List(self.members(']', Reader::value)),
            b'"' => Json::Text(self.string()),
            _ => {
                let end = self.rest.find([',', '}', ']', ' ', '\n']).unwrap_or(self.rest.len());
                let (bare, rest) = self.rest.split_at(end);
                self.rest = rest;
                Json::Bare(bare.to_owned())
            }
        }
    }

    fn members<T>(&mut self, close: char, mut member: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let mut members = Vec::new();
        self.rest = self.rest[1..].trim_start();
        while !self.rest.starts_with(close) {
            members.push(member(self));
            self.rest = self.rest.trim_start();
            self.rest = self.rest.strip_prefix(',').unwrap_or(self.rest).trim_start();
        }
        self.rest = &self.rest[1..];
        members
    }

    /// Recorded strings hold at most an escaped quote, slash or backslash.
    fn string(&mut self) -> String {
        let mut text = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return text;
                }
                '\\' => text.push(characters.next().expect("a character after `\\`").1),
                _ => text.push(character),
            }
        }
        panic!("a string without end");
    }
}
