//! Requests signed with AWS Signature Version 4 (AWS IAM User Guide, "Create a signed AWS API request").

use std::fmt::Write as _;

use jiff::Timestamp;
use ring::{digest, hmac};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::oauth1::encoded;
use crate::model::Secret;
use crate::vendor::client::{Attached, Outgoing};

/// What signs.
#[derive(Clone)]
pub struct Keys {
    pub access_key_id: String,
    pub secret_access_key: Secret,
    /// Of temporary credentials.
    pub session_token: Option<Secret>,
}

/// What it is signed for.
#[derive(Clone)]
pub struct Scope {
    pub region: String,
    pub service: String,
}

/// In what services differ.
#[derive(Clone, Copy)]
struct Rules {
    /// Dot segments and empty segments of the path are taken out.
    normalized: bool,
    /// The path is encoded once more than it travels.
    twice: bool,
    /// The hash of the body travels in a header.
    hash_shown: bool,
}

impl Rules {
    /// S3 takes paths as they are, because they are names of objects, and wants to see the hash.
    fn of(service: &str) -> Self {
        let s3 = matches!(service, "s3" | "s3express" | "s3-outposts" | "s3-object-lambda");
        Self { normalized: !s3, twice: !s3, hash_shown: s3 }
    }
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What the signature adds to the request, and its address in the spelling that was signed.
pub fn sign(request: &Outgoing<'_>, keys: &Keys, scope: &Scope, now: Timestamp) -> Attached {
    signed(request, keys, scope, now, Rules::of(&scope.service))
}

fn signed(request: &Outgoing<'_>, keys: &Keys, scope: &Scope, now: Timestamp, rules: Rules) -> Attached {
    let url = respelled(request.url);
    let moment = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let date = &moment[..8];
    let hash = hex(digest::digest(&digest::SHA256, request.body).as_ref());
    let mut added = vec![("X-Amz-Date".to_owned(), Secret::new(moment.as_str()))];
    if rules.hash_shown {
        added.push(("X-Amz-Content-Sha256".to_owned(), Secret::new(hash.as_str())));
    }
    if let Some(token) = &keys.session_token {
        added.push(("X-Amz-Security-Token".to_owned(), token.clone()));
    }
    let headers = headers(request, &url, &added);
    let names = headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
    let canonical = canonical(request.method, &url, &headers, &names, &hash, rules);
    let within = format!("{date}/{}/{}/aws4_request", scope.region, scope.service);
    let to_sign = format!("{ALGORITHM}\n{moment}\n{within}\n{}", hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref()));
    let signature = hex(hmac::sign(&derived(&keys.secret_access_key, date, scope), to_sign.as_bytes()).as_ref());
    let authorization = format!("{ALGORITHM} Credential={}/{within}, SignedHeaders={names}, Signature={signature}", keys.access_key_id);
    added.push(("Authorization".to_owned(), Secret::new(authorization)));
    Attached { headers: added, url: Some(url), ..Attached::default() }
}

/// The key for one day, region and service.
fn derived(secret: &Secret, date: &str, scope: &Scope) -> hmac::Key {
    let first = Zeroizing::new(format!("AWS4{}", secret.expose()));
    let key = |bytes: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
    [date, &scope.region, &scope.service, "aws4_request"]
        .iter()
        .fold(key(first.as_bytes()), |last, part| key(hmac::sign(&last, part.as_bytes()).as_ref()))
}

/// The headers that are signed, by name in small letters. Left out is what proxies and the connection itself may change.
fn headers(request: &Outgoing<'_>, url: &Url, added: &[(String, Secret)]) -> Vec<(String, Zeroizing<String>)> {
    const UNSIGNED: [&str; 12] = [
        "accept",
        "accept-encoding",
        "authorization",
        "cache-control",
        "connection",
        "expect",
        "host",
        "te",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-amzn-trace-id",
    ];
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let mut all = vec![("host".to_owned(), Zeroizing::new(host))];
    all.extend(added.iter().map(|(name, value)| (name.to_ascii_lowercase(), Zeroizing::new(value.expose().to_owned()))));
    let own = request.headers.keys().filter(|name| !UNSIGNED.contains(&name.as_str()));
    let own = own.filter(|name| added.iter().all(|(other, _)| !other.eq_ignore_ascii_case(name.as_str())));
    all.extend(own.map(|name| {
        // Blanks are trimmed, and several in a row are one.
        let trimmed = |value: &[u8]| String::from_utf8_lossy(value).split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        let values: Vec<String> = request.headers.get_all(name).iter().map(|value| trimmed(value.as_bytes())).collect();
        (name.as_str().to_owned(), Zeroizing::new(values.join(",")))
    }));
    all.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    all
}

fn canonical(method: &str, url: &Url, headers: &[(String, Zeroizing<String>)], names: &str, hash: &str, rules: Rules) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(512));
    let _ = writeln!(text, "{}\n{}\n{}", method.to_ascii_uppercase(), path(url.path(), rules), url.query().unwrap_or_default());
    for (name, value) in headers {
        let _ = writeln!(text, "{name}:{}", value.as_str());
    }
    let _ = write!(text, "\n{names}\n{hash}");
    text
}

/// The path that is signed, of one that travels encoded once.
fn path(path: &str, rules: Rules) -> String {
    let mut segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    if rules.normalized {
        // `Url` resolved `.` and `..`.
        let last = segments.len() - 1;
        let mut place = 0;
        segments.retain(|segment| {
            place += 1;
            !segment.is_empty() || place - 1 == last
        });
        return format!("/{}", spelled(&segments, rules));
    }
    segments = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    format!("/{}", spelled(&segments, rules))
}

fn spelled(segments: &[&str], rules: Rules) -> String {
    let spell = |segment: &&str| if rules.twice { encoded(segment) } else { (*segment).to_owned() };
    segments.iter().map(spell).collect::<Vec<_>>().join("/")
}

/// The same address as it is signed: everything encoded that can be, the query in order.
fn respelled(url: &Url) -> Url {
    let mut spelled = url.clone();
    let segments: Vec<String> = url.path().split('/').map(|segment| encoded_bytes(&decoded(segment))).collect();
    spelled.set_path(&segments.join("/"));
    if let Some(query) = url.query() {
        // A plus is a blank: so it was put there, and so servers read it.
        let mut pairs: Vec<(String, String)> =
            form_urlencoded::parse(query.as_bytes()).map(|(name, value)| (encoded(&name), encoded(&value))).collect();
        pairs.sort_unstable();
        let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        spelled.set_query(Some(&pairs.join("&")).filter(|query| !query.is_empty()).map(String::as_str));
    }
    spelled
}

/// Percent-decoded; what is no escape stays.
fn decoded(text: &str) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::with_capacity(text.len()), 0);
    while at < bytes.len() {
        match (bytes[at], digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

fn encoded_bytes(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            out.push(char::from(*byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

    /// Method, address, headers, body.
    type Sent<'a> = (&'a str, String, &'a [(&'a str, &'a str)], &'a str);

    /// A request as the vectors write it.
    struct Case<'a> {
        method: &'a str,
        url: &'a str,
        headers: &'a [(&'a str, &'a str)],
        body: &'a str,
    }

    fn get<'a>(url: &'a str, headers: &'a [(&'a str, &'a str)]) -> Case<'a> {
        Case { method: "GET", url, headers, body: "" }
    }

    fn header<'a>(attached: &'a Attached, name: &str) -> &'a str {
        attached.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.expose())
    }

    fn run(case: &Case<'_>, keys: &Keys, scope: (&str, &str), moment: &str, rules: Option<Rules>) -> Attached {
        let mut headers = HeaderMap::new();
        for (name, value) in case.headers {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let url = Url::parse(case.url).unwrap();
        let request = Outgoing { method: case.method, url: &url, headers: &headers, body: case.body.as_bytes(), content_type: None };
        let scope = Scope { region: scope.0.to_owned(), service: scope.1.to_owned() };
        let now = moment.parse().unwrap();
        signed(&request, keys, &scope, now, rules.unwrap_or_else(|| Rules::of(&scope.service)))
    }

    fn keys(token: Option<&str>) -> Keys {
        Keys {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: token.map(Secret::new),
        }
    }

    fn signature(attached: &Attached) -> &str {
        header(attached, "Authorization").rsplit_once("Signature=").unwrap().1
    }

    /// AWS's own signing test suite (github.com/awslabs/aws-c-auth, tests/aws-signing-test-suite/v4). There a path is given unencoded and
    /// signed encoded once; as it travels, it is encoded once already.
    #[test]
    fn the_vectors_of_aws() {
        let plain = Rules { normalized: true, twice: false, hash_shown: false };
        let raw = Rules { normalized: false, ..plain };
        let shown = Rules { hash_shown: true, ..plain };
        let unreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let (path, query) =
            (format!("https://example.amazonaws.com/{unreserved}"), format!("https://example.amazonaws.com/?{unreserved}={unreserved}"));
        let one = |tail: &'static str| format!("https://example.amazonaws.com{tail}");
        let post = |url: &str, headers: &'static [(&'static str, &'static str)], body: &'static str| ("POST", url.to_owned(), headers, body);
        let get = |url: &str, headers: &'static [(&'static str, &'static str)]| ("GET", url.to_owned(), headers, "");
        const FORM: &str = "application/x-www-form-urlencoded";
        let twice = [("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")];
        let order = [("My-Header1", "value4"), ("My-Header1", "value1"), ("My-Header1", "value3"), ("My-Header1", "value2")];
        let (twice, order): (&'static [_], &'static [_]) = (Vec::from(twice).leak(), Vec::from(order).leak());
        #[rustfmt::skip]
        let table: Vec<(&str, Sent<'_>, Rules, &str)> = vec![
            ("get-header-key-duplicate", get(&one("/"), twice), plain, "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"),
            ("get-header-value-order", get(&one("/"), order), plain, "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"),
            ("get-header-value-trim", get(&one("/"), &[("My-Header1", " value1"), ("My-Header2", " \"a   b   c\"")]), plain,
                "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
            ("get-relative-normalized", get(&one("/example/.."), &[]), plain, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("get-relative-relative-normalized", get(&one("/example1/example2/../.."), &[]), plain,
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("get-slash-dot-slash-normalized", get(&one("/./"), &[]), plain, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("get-slash-normalized", get(&one("//"), &[]), plain, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("get-slash-pointless-dot-normalized", get(&one("/./example"), &[]), plain, "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"),
            ("get-slash-unnormalized", get(&one("//"), &[]), raw, "c88bcd3d312d75078c0cd961d6deae3f4c754924b01669efcfcb439fd5e5b76e"),
            ("get-slashes-normalized", get(&one("//example//"), &[]), plain, "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
            ("get-slashes-unnormalized", get(&one("//example//"), &[]), raw, "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5"),
            ("get-space-normalized", get(&one("/example space/"), &[]), plain, "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
            ("get-unreserved", get(&path, &[]), plain, "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
            ("get-utf8", get(&one("/ሴ"), &[]), plain, "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
            ("get-vanilla", get(&one("/"), &[]), plain, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("get-vanilla-empty-query-key", get(&one("/?Param1=value1"), &[]), plain, "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
            ("get-vanilla-query", get(&one("/?"), &[]), plain, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("get-vanilla-query-order-encoded", get(&one("/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1"), &[]), plain,
                "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"),
            ("get-vanilla-query-order-key-case", get(&one("/?Param2=value2&Param1=value1"), &[]), plain,
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
            ("get-vanilla-query-unreserved", get(&query, &[]), plain, "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"),
            ("get-vanilla-utf8-query", get(&one("/?ሴ=bar"), &[]), plain, "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
            ("post-header-key-case", post(&one("/"), &[], ""), plain, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            ("post-header-key-sort", post(&one("/"), &[("My-Header1", "value1")], ""), plain,
                "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
            ("post-header-value-case", post(&one("/"), &[("My-Header1", "VALUE1")], ""), plain,
                "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"),
            ("post-vanilla-query", post(&one("/?Param1=value1"), &[], ""), plain, "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
            ("post-x-www-form-urlencoded", post(&one("/"), &[("Content-Type", FORM), ("Content-Length", "13")], "Param1=value1"), shown,
                "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"),
            ("post-x-www-form-urlencoded-parameters",
                post(&one("/"), &[("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"), ("Content-Length", "13")], "Param1=value1"), shown,
                "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422"),
        ];
        for (name, (method, url, headers, body), rules, expected) in &table {
            let case = Case { method, url, headers, body };
            let made = run(&case, &keys(None), ("us-east-1", "service"), "2015-08-30T12:36:00Z", Some(*rules));
            assert_eq!(signature(&made), *expected, "{name}");
        }
    }

    #[test]
    fn a_session_token_is_signed() {
        let plain = Rules { normalized: true, twice: false, hash_shown: false };
        let token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
        let made =
            run(&get("https://example.amazonaws.com/", &[]), &keys(Some(token)), ("us-east-1", "service"), "2015-08-30T12:36:00Z", Some(plain));
        assert_eq!(signature(&made), "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8");
        assert_eq!(header(&made, "x-amz-security-token"), token);
    }

    /// The example of the IAM User Guide, and its older one with a form.
    #[test]
    fn list_users_of_the_documentation() {
        let content = ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
        let headers = [content];
        let case = get("https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08", &headers);
        let made = run(&case, &keys(None), ("us-east-1", "iam"), "2015-08-30T12:36:00Z", None);
        assert_eq!(
            header(&made, "authorization"),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
        assert_eq!(header(&made, "x-amz-date"), "20150830T123600Z");
        let case = Case { method: "POST", url: "https://iam.amazonaws.com/", headers: &headers, body: "Action=ListUsers&Version=2010-05-08" };
        let made = run(&case, &keys(None), ("us-east-1", "iam"), "2011-09-09T23:36:00Z", None);
        assert_eq!(signature(&made), "ced6826de92d2bdeed8f846f0bf508e8559e98e4b0199114b84c54174deb456c");
    }

    /// The examples of the S3 API Reference ("Signature Calculations for the Authorization Header").
    #[test]
    fn s3_takes_paths_as_they_are() {
        let keys = Keys {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            session_token: None,
        };
        let s3 = |case: &Case<'_>| run(case, &keys, ("us-east-1", "s3"), "2013-05-24T00:00:00Z", None);
        let range = [("Range", "bytes=0-9")];
        let made = s3(&get("https://examplebucket.s3.amazonaws.com/test.txt", &range));
        assert_eq!(signature(&made), "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
        assert_eq!(header(&made, "x-amz-content-sha256"), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        let made = s3(&get("https://examplebucket.s3.amazonaws.com/?lifecycle", &[]));
        assert_eq!(signature(&made), "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
        let made = s3(&get("https://examplebucket.s3.amazonaws.com/?prefix=J&max-keys=2", &[]));
        assert_eq!(signature(&made), "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
        let headers = [("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")];
        let put =
            Case { method: "PUT", url: "https://examplebucket.s3.amazonaws.com/test$file.text", headers: &headers, body: "Welcome to Amazon S3." };
        let made = s3(&put);
        assert_eq!(signature(&made), "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
        assert_eq!(made.url.unwrap().path(), "/test%24file.text");
    }

    #[test]
    fn what_is_sent_is_what_was_signed() {
        let spelled = |text: &str| respelled(&Url::parse(text).unwrap()).to_string();
        for (given, expected) in [
            ("https://a.example/x?b=2+3&a=%2B&a=", "https://a.example/x?a=&a=%2B&b=2%203"),
            ("https://a.example/a%2Fb/(c)%zz?q=é*", "https://a.example/a%2Fb/%28c%29%25zz?q=%C3%A9%2A"),
            ("https://a.example/", "https://a.example/"),
            ("https://a.example/?", "https://a.example/"),
        ] {
            assert_eq!(spelled(given), expected);
            // Once spelled, it stays.
            assert_eq!(spelled(expected), expected);
        }
        let rules = Rules::of("identitystore");
        assert_eq!(path("/a%20b//c/", rules), "/a%2520b/c/");
        assert_eq!(path("/a%20b//c/", Rules::of("s3")), "/a%20b//c/");
        assert_eq!(path("//", Rules::of("s3")), "//");
        assert_eq!(path("/", rules), "/");
        // Headers that others may change are not signed.
        let headers = [("Accept", "application/json"), ("X-Amz-Target", "A.B"), ("X-Amz-Date", "1")];
        let made = run(&get("http://127.0.0.1:8080/", &headers), &keys(None), ("eu-west-1", "x"), "2015-08-30T12:36:00Z", None);
        assert!(header(&made, "authorization").contains("SignedHeaders=host;x-amz-date;x-amz-target,"));
    }
}
