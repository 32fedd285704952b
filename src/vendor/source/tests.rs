use super::super::client::Patience;
use super::*;
use serde_json::json;
use std::time::Duration;
use wiremock::matchers::{body_json, body_string, header, method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

fn connector(resource: &str) -> Arc<Connector> {
    let text = format!("schema = 1\nid = 'acme'\nname = 'Acme'\n[[resource]]\nid = 'users'\nname = 'Users'\nkind = 'users'\nkey = 'id'\n{resource}");
    Arc::new(toml::from_str(&text).unwrap())
}

struct Setup {
    connector: Arc<Connector>,
    context: Context,
    client: Client,
}

fn setup(server: &MockServer, resource: &str) -> Setup {
    let connector = connector(resource);
    let mut context = Context::default();
    context.input.insert("base_url".to_owned(), server.uri());
    let patience = Patience { base: Duration::from_millis(2), timeout: Duration::from_secs(5), ..Patience::default() };
    let client = Client::new(connector.clone(), context.clone(), None).unwrap().with_patience(patience);
    Setup { connector, context, client }
}

impl Setup {
    fn open(&self, sink: &Sink) -> Source {
        let projection = Projection::new(vec![Path::parse("id").unwrap(), Path::parse("name.first").unwrap()]);
        Source::open(self.connector.clone(), &self.connector.resources[0], &self.context, Some(self.client.clone()), projection, sink).unwrap()
    }

    async fn read(&self) -> Result<Vec<Page>, Problem> {
        let (mut source, mut pages) = (self.open(&Sink::none()), Vec::new());
        while let Some(page) = source.next().await? {
            pages.push(page);
        }
        Ok(pages)
    }
}

const PAGES: &str = "path = '/users'\nrecords = 'data'\n[resource.query]\nactive = 'true'\n[resource.paging]\nkind = 'page'\nparam = 'page'\nmore = 'has_more'\ntotal = 'total_count'";

async fn serve(server: &MockServer, page: &str, response: ResponseTemplate) {
    Mock::given(path("/users")).and(query_param("page", page)).and(query_param("active", "true")).respond_with(response).mount(server).await;
}

#[tokio::test]
async fn pages_are_read_to_the_end() {
    let server = MockServer::start().await;
    let first = json!({"has_more": true, "total_count": 4, "data": [{"id": 1, "name": {"first": "Ada"}}, 7, {"id": 2}]});
    serve(&server, "1", ResponseTemplate::new(200).set_body_json(first)).await;
    let second = json!({"has_more": false, "total_count": 4, "data": [{"id": 3, "more": [1, 2]}]});
    serve(&server, "2", ResponseTemplate::new(200).set_body_json(second)).await;
    let pages = setup(&server, PAGES).read().await.unwrap();
    let rows: Vec<(u64, Vec<Value>)> = pages.iter().flat_map(|page| &page.rows).map(|row| (row.number, row.slots.clone())).collect();
    assert_eq!(rows, [(1, vec![json!(1), json!("Ada")]), (3, vec![json!(2), json!(null)]), (4, vec![json!(3), json!(null)])]);
    assert_eq!(pages[0].bad.iter().map(|bad| bad.number).collect::<Vec<_>>(), [2]);
    assert_eq!(pages.iter().map(|page| (page.requests, page.total)).collect::<Vec<_>>(), [(1, Some(4)), (1, Some(4))]);
    assert!(pages[0].bytes > 50);
}

#[tokio::test]
async fn samples_are_whole_records() {
    let server = MockServer::start().await;
    let record = json!({"z": 1, "id": 1, "name": {"first": "Ada", "x": [1, {"y": null}]}});
    let body = json!({"has_more": true, "total_count": 9, "data": [record, {"id": 2}, {"id": 3}]});
    serve(&server, "1", ResponseTemplate::new(200).set_body_json(body)).await;
    let setup = setup(&server, PAGES);
    let sink = Sink::none();
    let sample = sample(setup.connector.clone(), &setup.connector.resources[0], &setup.context, Some(setup.client.clone()), 2, &sink);
    let (records, total) = sample.await.unwrap();
    assert_eq!((records, total), (vec![record, json!({"id": 2})], Some(9)));
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_broken_body_is_asked_for_again_and_then_reported() {
    let server = MockServer::start().await;
    let cut = || ResponseTemplate::new(200).set_body_string(r#"{"has_more":true,"data":[{"id":1},{"id"#);
    Mock::given(path("/users")).respond_with(cut()).up_to_n_times(2).mount(&server).await;
    serve(&server, "1", ResponseTemplate::new(200).set_body_json(json!({"has_more": false, "data": [{"id": 1}]}))).await;
    let setup = setup(&server, PAGES);
    let pages = setup.read().await.unwrap();
    assert_eq!((pages.len(), pages[0].rows.len(), pages[0].requests), (1, 1, 3));
    server.reset().await;
    Mock::given(path("/users")).respond_with(cut()).mount(&server).await;
    let mut source = setup.open(&Sink::none());
    let problem = source.next().await.unwrap_err();
    assert!(problem.why.contains("no complete JSON"), "{problem:?}");
    // Over is over: never mistaken for the end of the list.
    assert_eq!(source.next().await.unwrap_err(), problem);
}

#[tokio::test]
async fn what_is_no_list_is_a_problem() {
    for (body, word) in [("<!DOCTYPE html><title>Sign in</title>", "web page"), ("{\"ok\":false}", "no records"), ("{\"data\":{}}", "cannot be read")]
    {
        let server = MockServer::start().await;
        Mock::given(path("/users")).respond_with(ResponseTemplate::new(200).set_body_string(body)).mount(&server).await;
        let problem = setup(&server, PAGES).read().await.unwrap_err();
        assert!(problem.what.contains(word), "{problem:?}");
        assert_eq!(server.received_requests().await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_failure_in_the_middle_is_no_end() {
    let server = MockServer::start().await;
    serve(&server, "1", ResponseTemplate::new(200).set_body_json(json!({"has_more": true, "data": [{"id": 1}]}))).await;
    serve(&server, "2", ResponseTemplate::new(403)).await;
    let setup = setup(&server, PAGES);
    let mut source = setup.open(&Sink::none());
    assert!(source.next().await.unwrap().is_some());
    assert!(source.next().await.is_err());
    assert!(source.next().await.is_err());
}

#[tokio::test]
async fn links_are_followed_with_what_they_say() {
    let server = MockServer::start().await;
    let next = format!("<{}/users?page=2&active=true&after=a%2Fb>; rel=\"next\"", server.uri());
    serve(&server, "2", ResponseTemplate::new(200).set_body_json(json!([{"id": 2}]))).await;
    Mock::given(path("/users"))
        .respond_with(ResponseTemplate::new(200).insert_header("Link", next).set_body_json(json!([{"id": 1}])))
        .mount(&server)
        .await;
    let pages = setup(&server, "path = '/users'\n[resource.paging]\nkind = 'link_header'").read().await.unwrap();
    assert_eq!(pages.iter().flat_map(|page| &page.rows).map(|row| row.number).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn one_page_is_fetched_ahead_and_no_more() {
    let server = MockServer::start().await;
    for page in 1..=9 {
        serve(&server, &page.to_string(), ResponseTemplate::new(200).set_body_json(json!({"has_more": true, "data": [{"id": page}]}))).await;
    }
    let setup = setup(&server, PAGES);
    let mut source = setup.open(&Sink::none());
    source.next().await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while server.received_requests().await.unwrap().len() < 3 && Instant::now() < deadline {
        tokio::task::yield_now().await;
    }
    // One with the caller, one in the channel, one in hand.
    assert_eq!(server.received_requests().await.unwrap().len(), 3);
}

#[tokio::test]
async fn waits_are_reported_with_the_counts_and_can_be_cancelled() {
    let server = MockServer::start().await;
    serve(&server, "1", ResponseTemplate::new(200).set_body_json(json!({"has_more": true, "total_count": 7, "data": [{"id": 1}]}))).await;
    serve(&server, "2", ResponseTemplate::new(429).insert_header("Retry-After", "600")).await;
    let cancel = CancellationToken::new();
    let (seen, stop) = (Arc::new(std::sync::Mutex::new(None)), cancel.clone());
    let log = seen.clone();
    let sink = Sink::new(
        move |progress| {
            *log.lock().unwrap() = Some(progress);
            stop.cancel();
        },
        cancel,
    );
    let setup = setup(&server, PAGES);
    let mut source = setup.open(&sink);
    assert!(source.next().await.unwrap().is_some());
    assert_eq!(source.next().await.unwrap_err().what, "Stopped");
    let progress = seen.lock().unwrap().clone().unwrap();
    assert_eq!((progress.records, progress.pages, progress.total), (1, 1, Some(7)));
    assert!(progress.doing.contains("waiting 10m"), "{}", progress.doing);
}

#[tokio::test]
async fn files_need_no_client() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("people.csv");
    std::fs::write(&file, format!("id,name.first\n{}", (0..2500).map(|i| format!("{i},N{i}\n")).collect::<String>())).unwrap();
    let connector = connector(&format!("path = '{}'\nformat = 'file'", file.display()));
    let (resource, context) = (&connector.resources[0], Context::default());
    let projection = Projection::new(vec![Path::parse("name.first").unwrap()]);
    let mut source = Source::open(connector.clone(), resource, &context, None, projection.clone(), &Sink::none()).unwrap();
    let mut lines = Vec::new();
    while let Some(page) = source.next().await.unwrap() {
        assert!(page.rows.len() <= 1000);
        lines.extend(page.rows.iter().map(|row| row.number));
    }
    assert_eq!(lines, (2..=2501).collect::<Vec<u64>>());
    let (records, _) = sample(connector.clone(), resource, &context, None, 3, &Sink::none()).await.unwrap();
    assert_eq!(records[2], json!({"id": "2", "name.first": "N2"}));
    assert_eq!(records.len(), 3);
    let sink = Sink::none();
    sink.cancel.cancel();
    let mut source = Source::open(connector.clone(), resource, &context, None, projection, &sink).unwrap();
    assert!(source.next().await.is_err());
}

fn ids(pages: &[Page]) -> Vec<Value> {
    pages.iter().flat_map(|page| &page.rows).map(|row| row.slots[0].clone()).collect()
}

async fn reply(server: &MockServer, what: wiremock::MockBuilder, body: Value) {
    what.respond_with(ResponseTemplate::new(200).set_body_json(body)).expect(1).mount(server).await;
}

#[tokio::test]
async fn a_cursor_goes_on_at_another_address_with_nothing_but_itself() {
    // https://www.dropbox.com/developers/documentation/http/teams#team-members-list
    let server = MockServer::start().await;
    let post = |at: &str, body: Value| Mock::given(method("POST")).and(path(at)).and(body_json(body));
    let first = json!({"limit": 2, "include_removed": true, "note": "t-1"});
    reply(&server, post("/team/members/list_v2", first), json!({"members": [{"id": "a"}, {"id": "b"}], "cursor": "c/1", "has_more": true})).await;
    let go_on = || post("/team/members/list/continue_v2", json!({"cursor": "c/1"}));
    reply(&server, go_on(), json!({"members": [{"id": "c"}], "cursor": "c/2", "has_more": false})).await;
    let resource = "path = '/team/members/list_v2'\nmethod = 'POST'\nrecords = 'members'\n\
         body = { limit = 100, include_removed = true, note = '{{ input.note }}', empty = \"{{ input.other or '' }}\" }\n\
         [resource.paging]\nkind = 'cursor'\nparam = 'cursor'\nnext = 'cursor'\nmore = 'has_more'\nsize_param = 'limit'\nsize = 2\n\
         path = '/team/members/list/continue_v2'";
    let mut setup = setup(&server, resource);
    setup.context.input.insert("note".to_owned(), "t-1".to_owned());
    let pages = setup.read().await.unwrap();
    assert_eq!(ids(&pages), [json!("a"), json!("b"), json!("c")]);
}

#[tokio::test]
async fn paging_parameters_are_set_inside_a_body() {
    let server = MockServer::start().await;
    let post = |page: u64| {
        let body = json!({"filter": {"active": true}, "page": {"number": page, "size": 2}});
        Mock::given(method("POST")).and(path("/search")).and(body_json(body)).and(header("x-api", "7")).and(query_param("v", "1"))
    };
    reply(&server, post(1), json!({"hits": [{"id": 1}, {"id": 2}]})).await;
    reply(&server, post(2), json!({"hits": [{"id": 3}]})).await;
    let resource = "path = '/search'\nmethod = 'POST'\nrecords = 'hits'\nheaders = { X-Api = '{{ input.api }}', X-None = \"{{ input.none or '' }}\" }\n\
         query = { v = '1' }\nbody = { filter = { active = true } }\n\
         [resource.paging]\nkind = 'page'\nparam = 'page.number'\nsize_param = 'page.size'\nsize = 2";
    let mut setup = setup(&server, resource);
    setup.context.input.insert("api".to_owned(), "7".to_owned());
    assert_eq!(ids(&setup.read().await.unwrap()), [json!(1), json!(2), json!(3)]);
    assert!(server.received_requests().await.unwrap().iter().all(|request| !request.headers.contains_key("x-none")));
}

#[tokio::test]
async fn a_graph_is_read_node_by_node() {
    let server = MockServer::start().await;
    let query = "query($after: String) { users(after: $after) { edges { node { id } } pageInfo { endCursor hasNextPage } } }";
    let post = |variables: Value| Mock::given(method("POST")).and(path("/graphql")).and(body_json(json!({"query": query, "variables": variables})));
    let page = |id: &str, cursor: Value, more: bool| {
        let edges = json!([{"cursor": "x", "node": {"id": id, "name": {"first": "Ada"}, "rest": [1]}}]);
        json!({"data": {"users": {"edges": edges, "pageInfo": {"endCursor": cursor, "hasNextPage": more}}}})
    };
    reply(&server, post(json!({"first": 1})), page("u1", json!("5"), true)).await;
    // A cursor that is a text stays one, whatever it looks like.
    reply(&server, post(json!({"first": 1, "after": "5"})), page("u2", json!(null), false)).await;
    let resource = format!(
        "path = '/graphql'\nmethod = 'POST'\nrecords = 'data.users.edges[*].node'\nbody = {{ query = '{query}', variables = {{ first = 1 }} }}\n\
         [resource.paging]\nkind = 'cursor'\nparam = 'variables.after'\nnext = 'data.users.pageInfo.endCursor'\nmore = 'data.users.pageInfo.hasNextPage'"
    );
    let setup = setup(&server, &resource);
    let pages = setup.read().await.unwrap();
    assert_eq!(pages[0].rows[0].slots, [json!("u1"), json!("Ada")]);
    assert_eq!(ids(&pages), [json!("u1"), json!("u2")]);
    server.reset().await;
    reply(&server, post(json!({"first": 1})), page("u1", json!(null), false)).await;
    let connector = setup.connector.clone();
    let (records, _) =
        sample(connector.clone(), &connector.resources[0], &setup.context, Some(setup.client.clone()), 5, &Sink::none()).await.unwrap();
    assert_eq!(records, [json!({"id": "u1", "name": {"first": "Ada"}, "rest": [1]})]);
}

#[tokio::test]
async fn forms_are_paged_by_their_fields() {
    let server = MockServer::start().await;
    let post = |body: &str| Mock::given(method("POST")).and(path("/list")).and(body_string(body.to_owned())).and(query_param_is_missing("offset"));
    reply(&server, post("fields=id%2Cname&offset=0&limit=1"), json!([{"id": 1}])).await;
    reply(&server, post("fields=id%2Cname&offset=1&limit=1"), json!([])).await;
    let resource = "path = '/list'\nmethod = 'POST'\nform = { fields = 'id,name' }\n\
         [resource.paging]\nkind = 'offset'\nparam = 'offset'\nsize_param = 'limit'\nsize = 1";
    assert_eq!(ids(&setup(&server, resource).read().await.unwrap()), [json!(1)]);
}

#[tokio::test]
async fn a_limit_told_inside_a_success_is_waited_out() {
    let server = MockServer::start().await;
    let limited = ResponseTemplate::new(200).set_body_json(json!({"ok": false, "error": "slow", "retry_in": 0.01}));
    Mock::given(path("/users")).respond_with(limited).up_to_n_times(1).mount(&server).await;
    Mock::given(path("/users")).respond_with(ResponseTemplate::new(200).set_body_json(json!({"ok": true, "data": [{"id": 1}]}))).mount(&server).await;
    let rule = "path = '/users'\nrecords = 'data'\n[[error]]\nwhen = \"body.error == 'slow'\"\naction = 'rate_limited'\nwait = 'body.retry_in'";
    let pages = setup(&server, rule).read().await.unwrap();
    assert_eq!((ids(&pages), pages[0].requests), (vec![json!(1)], 2));
}

#[test]
fn members_are_set_where_the_path_leads() {
    let mut body = json!({"a": {"b": 1}, "list": [{"n": 1}]});
    for (path, value) in [("a.b", json!(2)), ("a.c.d", json!("x")), ("list[0].n", json!(5)), ("e", json!(true))] {
        set(&mut body, path, &value).unwrap();
    }
    assert_eq!(body, json!({"a": {"b": 2, "c": {"d": "x"}}, "list": [{"n": 5}], "e": true}));
    for path in ["a.b.c", "list[1]", "list.n", "", "a["] {
        assert!(set(&mut body, path, &json!(0)).is_err(), "{path}");
    }
}
