//! Messages and folders as records.

use async_imap::imap_proto::{Address, AttributeValue, Envelope, MailboxListData, NameAttribute};
use serde_json::{Map, Value, json};

use super::words;

/// Longer texts of a header are cut.
const LONGEST: usize = 10_000;
/// More addresses in one header are left out.
const MOST: usize = 1_000;

fn cut(text: String) -> String {
    if text.len() <= LONGEST { text } else { text.chars().take(LONGEST).collect() }
}

fn text(bytes: Option<&[u8]>) -> Value {
    bytes.map(words::text).filter(|text| !text.is_empty()).map_or(Value::Null, |text| Value::String(cut(text)))
}

fn address(one: &Address<'_>) -> Option<String> {
    // Without a host it begins or ends a group (RFC 9051 §7.5.2).
    let (mailbox, host) = (one.mailbox.as_deref()?, one.host.as_deref()?);
    let (mailbox, host) = (words::text(mailbox), words::text(host));
    (!mailbox.is_empty() && !host.is_empty()).then(|| cut(format!("{mailbox}@{host}")))
}

fn addresses(list: Option<&Vec<Address<'_>>>) -> Vec<String> {
    list.into_iter().flatten().filter_map(address).take(MOST).collect()
}

/// A message of a folder; `None` where the server tells something else of it, such as flags that another client has set.
///
/// The key is what RFC 5092 §6 calls a message by: the folder, its UIDVALIDITY, and the UID.
pub fn message(folder: &str, validity: u32, attributes: &[AttributeValue<'_>]) -> Option<Map<String, Value>> {
    let mut record = Map::new();
    let (mut uid, mut envelope, mut flags, mut received, mut size) = (None, None, Vec::new(), Value::Null, Value::Null);
    for attribute in attributes {
        match attribute {
            AttributeValue::Uid(number) => uid = Some(*number),
            AttributeValue::Envelope(found) => envelope = Some(found),
            AttributeValue::Flags(found) => flags = found.iter().take(MOST).map(|flag| flag.to_string()).collect::<Vec<String>>(),
            AttributeValue::InternalDate(text) => received = words::internal_date(text).map_or(Value::Null, |time| Value::String(time.to_string())),
            AttributeValue::Rfc822Size(bytes) => size = Value::from(*bytes),
            _ => {}
        }
    }
    let (uid, envelope) = (uid?, envelope?);
    record.insert("id".to_owned(), format!("{folder};UIDVALIDITY={validity}/;UID={uid}").into());
    record.insert("folder".to_owned(), folder.into());
    record.insert("message_uid".to_owned(), uid.into());
    record.insert("folder_uidvalidity".to_owned(), validity.into());
    headers(&mut record, envelope);
    record.insert("received".to_owned(), received);
    record.insert("size".to_owned(), size);
    for (name, flag) in [("seen", "\\Seen"), ("answered", "\\Answered"), ("flagged", "\\Flagged"), ("draft", "\\Draft"), ("deleted", "\\Deleted")] {
        record.insert(name.to_owned(), flags.iter().any(|known| known.eq_ignore_ascii_case(flag)).into());
    }
    record.insert("flags".to_owned(), json!(flags));
    Some(record)
}

fn headers(record: &mut Map<String, Value>, envelope: &Envelope<'_>) {
    let first = |list: Option<&Vec<Address<'_>>>| list.and_then(|list| list.iter().find_map(address)).map_or(Value::Null, Value::String);
    let author = envelope.from.as_ref().and_then(|list| list.iter().find(|one| one.host.is_some()));
    record.insert("message_id".to_owned(), text(envelope.message_id.as_deref()));
    record.insert("in_reply_to".to_owned(), text(envelope.in_reply_to.as_deref()));
    let date = envelope.date.as_deref().map(words::text).and_then(|date| words::date(&date));
    record.insert("date".to_owned(), date.map_or(Value::Null, |time| Value::String(time.to_string())));
    record.insert("subject".to_owned(), text(envelope.subject.as_deref()));
    record.insert("from_name".to_owned(), text(author.and_then(|one| one.name.as_deref())));
    record.insert("from_address".to_owned(), first(envelope.from.as_ref()));
    record.insert("sender_address".to_owned(), first(envelope.sender.as_ref()));
    record.insert("reply_to_address".to_owned(), first(envelope.reply_to.as_ref()));
    record.insert("to".to_owned(), json!(addresses(envelope.to.as_ref())));
    record.insert("cc".to_owned(), json!(addresses(envelope.cc.as_ref())));
}

/// A folder, with what the server says it is for (RFC 6154).
pub fn folder(found: &MailboxListData<'_>) -> Map<String, Value> {
    let mut record = Map::new();
    let path = cut(words::folder(&found.name));
    let leaf = found.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty()).and_then(|delimiter| path.rsplit(delimiter).next());
    record.insert("name".to_owned(), leaf.filter(|leaf| !leaf.is_empty()).unwrap_or(&path).into());
    record.insert("path".to_owned(), path.clone().into());
    record.insert("delimiter".to_owned(), found.delimiter.as_deref().map_or(Value::Null, Value::from));
    let names: Vec<String> = found.name_attributes.iter().take(MOST).map(attribute).collect();
    let closed = ["\\Noselect", "\\NonExistent"];
    let selectable = !names.iter().any(|name| closed.iter().any(|one| name.eq_ignore_ascii_case(one)));
    record.insert("selectable".to_owned(), selectable.into());
    let roles = ["All", "Archive", "Drafts", "Flagged", "Junk", "Sent", "Trash", "Important"];
    let role = roles.into_iter().find(|role| names.iter().any(|name| name.trim_start_matches('\\').eq_ignore_ascii_case(role)));
    record.insert("role".to_owned(), role.map_or(Value::Null, Value::from));
    record.insert("attributes".to_owned(), json!(names));
    record
}

fn attribute(one: &NameAttribute<'_>) -> String {
    let name = match one {
        NameAttribute::NoInferiors => "\\Noinferiors",
        NameAttribute::NoSelect => "\\Noselect",
        NameAttribute::Marked => "\\Marked",
        NameAttribute::Unmarked => "\\Unmarked",
        NameAttribute::All => "\\All",
        NameAttribute::Archive => "\\Archive",
        NameAttribute::Drafts => "\\Drafts",
        NameAttribute::Flagged => "\\Flagged",
        NameAttribute::Junk => "\\Junk",
        NameAttribute::Sent => "\\Sent",
        NameAttribute::Trash => "\\Trash",
        NameAttribute::Extension(name) => name,
        _ => "",
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use async_imap::imap_proto::{MailboxDatum, Response};

    use super::*;

    fn fetched(line: &str) -> Option<Map<String, Value>> {
        let (_, Response::Fetch(_, attributes)) = Response::parse(line.as_bytes()).unwrap() else { panic!("no FETCH: {line}") };
        message("INBOX", 9, &attributes)
    }

    #[test]
    fn an_envelope_as_the_specification_shows_it() {
        // RFC 9051 §7.5.2 and §8, with a UID.
        let record = fetched(
            "* 12 FETCH (UID 42 FLAGS (\\Seen $Forwarded) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 4286 ENVELOPE \
             (\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((NIL NIL \"imap\" \"cac.washington.edu\")) ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\") (\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) \
             NIL NIL \"<B27397-0100000@cac.washington.ed>\"))\r\n",
        )
        .unwrap();
        let wanted = json!({
            "id": "INBOX;UIDVALIDITY=9/;UID=42", "folder": "INBOX", "message_uid": 42, "folder_uidvalidity": 9,
            "message_id": "<B27397-0100000@cac.washington.ed>", "in_reply_to": null,
            "date": "1996-07-17T09:23:25Z", "subject": "IMAP4rev1 WG mtg summary and minutes",
            "from_name": "Terry Gray", "from_address": "gray@cac.washington.edu", "sender_address": "gray@cac.washington.edu",
            "reply_to_address": "gray@cac.washington.edu", "to": ["imap@cac.washington.edu"],
            "cc": ["minutes@CNRI.Reston.VA.US", "KLENSIN@MIT.EDU"], "received": "1996-07-17T09:44:25Z", "size": 4286,
            "seen": true, "answered": false, "flagged": false, "draft": false, "deleted": false, "flags": ["\\Seen", "$Forwarded"],
        });
        assert_eq!(Value::Object(record), wanted);
    }

    #[test]
    fn little_is_enough() {
        let record =
            fetched("* 1 FETCH (UID 1 ENVELOPE (NIL NIL NIL NIL NIL ((NIL NIL \"group\" NIL)(NIL NIL NIL NIL)) NIL NIL NIL NIL))\r\n").unwrap();
        assert!(record["subject"].is_null() && record["from_address"].is_null() && record["to"] == json!([]) && record["seen"] == false);
        // Another client has read it meanwhile.
        assert!(fetched("* 1 FETCH (FLAGS (\\Seen))\r\n").is_none());
        let literal = fetched("* 1 FETCH (UID 1 ENVELOPE (NIL {5}\r\ncaf\u{e9} NIL NIL NIL NIL NIL NIL NIL NIL))\r\n").unwrap();
        assert_eq!(literal["subject"], "café");
    }

    #[test]
    fn folders_and_what_they_are_for() {
        let listed = |line: &str| {
            let (_, Response::MailboxData(MailboxDatum::List(found))) = Response::parse(line.as_bytes()).unwrap() else { panic!("no LIST: {line}") };
            Value::Object(folder(&found))
        };
        assert_eq!(
            listed("* LIST (\\HasNoChildren \\Sent) \"/\" \"Post/Gesendete Entw&APw-rfe\"\r\n"),
            json!({ "name": "Gesendete Entwürfe", "path": "Post/Gesendete Entwürfe", "delimiter": "/", "selectable": true, "role": "Sent",
                    "attributes": ["\\HasNoChildren", "\\Sent"] })
        );
        let root = listed("* LIST (\\Noselect) NIL inbox\r\n");
        assert!(root["path"] == "INBOX" && root["selectable"] == false && root["role"].is_null() && root["delimiter"].is_null());
    }
}
