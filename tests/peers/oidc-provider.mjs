// An OpenID-certified provider on a free port of 127.0.0.1, with an API of its own that takes its tokens.
// Argument: the public key of the client "keyed", PEM. Prints one line of JSON when it listens; ends when its standard input does.
import crypto from 'node:crypto';
import http from 'node:http';
import Provider from 'oidc-provider';

const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
const jwks = (key) => ({ keys: [{ ...key.export({ format: 'jwk' }), use: 'sig', alg: 'RS256' }] });
const granted = {};
let polls = 0;
let slow = 0;
const server = http.createServer();
// Node closes idle connections after five seconds, which is just when a device's code is asked about again.
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const redirect_uris = ['http://127.0.0.1/callback'];
  const code = { application_type: 'native', redirect_uris, grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] };
  const own = { redirect_uris: [], response_types: [], grant_types: ['client_credentials'] };
  const provider = new Provider(issuer, {
    clients: [
      { ...code, client_id: 'native', token_endpoint_auth_method: 'none' },
      { ...code, client_id: 'web', client_secret: 'web-secret', token_endpoint_auth_method: 'client_secret_post' },
      { ...code, client_id: 'both', token_endpoint_auth_method: 'none', grant_types: [...code.grant_types, DEVICE] },
      { client_id: 'tv', application_type: 'native', token_endpoint_auth_method: 'none', redirect_uris: [], response_types: [],
        grant_types: [DEVICE, 'refresh_token'] },
      { client_id: 'brief', application_type: 'native', token_endpoint_auth_method: 'none', redirect_uris: [], response_types: [],
        grant_types: [DEVICE] },
      { ...code, client_id: 'pushed', client_secret: 'pushed-secret', token_endpoint_auth_method: 'client_secret_post',
        require_pushed_authorization_requests: true },
      { ...own, client_id: 'keyed', token_endpoint_auth_method: 'private_key_jwt', jwks: jwks(crypto.createPublicKey(process.argv[1])) },
      { ...own, client_id: 'stranger', token_endpoint_auth_method: 'private_key_jwt',
        jwks: jwks(crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey) },
      { ...own, client_id: 'svc', client_secret: 'svc-secret', token_endpoint_auth_method: 'client_secret_post' },
      { ...own, client_id: 'svc basic', client_secret: 'a:b c/+%&=~', token_endpoint_auth_method: 'client_secret_basic' },
    ],
    findAccount: async (_, sub) => ({ accountId: sub, claims: async () => ({ sub }) }),
    scopes: ['openid', 'offline_access', 'members:read'],
    pkce: { required: () => true },
    rotateRefreshToken: true,
    cookies: { keys: ['test'] },
    features: { devInteractions: { enabled: true }, clientCredentials: { enabled: true }, revocation: { enabled: true },
      deviceFlow: { enabled: true }, registration: { enabled: true }, registrationManagement: { enabled: true } },
    ttl: { DeviceCode: (ctx, token, client) => (client.clientId === 'brief' ? 2 : 600),  Interaction: 600, Session: 600, Grant: 3600, AccessToken: 3600, ClientCredentials: 3600, RefreshToken: 86400 },
  });
  provider.on('grant.success', (ctx) => {
    const type = ctx.oidc.params.grant_type;
    granted[type] = (granted[type] ?? 0) + 1;
  });

  let made = 0;
  provider.on('registration_create.success', () => { made += 1; });
  const living = { access: new Set(), refresh: new Set() };
  for (const kind of ['access_token', 'client_credentials']) provider.on(`${kind}.saved`, (token) => living.access.add(token));
  provider.on('refresh_token.saved', (token) => living.refresh.add(token));
  const end = async (tokens) => {
    for (const token of tokens) await token.destroy();
    tokens.clear();
  };
  const say = (response, status, body) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
  // Whoever searches for secrets learns what was issued: a line for each answer with tokens.
  provider.use(async (ctx, next) => {
    await next();
    const issued = ['access_token', 'refresh_token', 'id_token', 'client_secret', 'registration_access_token'].map((name) => ctx.body?.[name]);
    if (issued.some(Boolean)) console.log(JSON.stringify({ issued: issued.filter(Boolean) }));
  });
  const handle = provider.callback();
  server.on('request', async (request, response) => {
    const path = request.url.split('?')[0];
    if (path === '/api/whoami') {
      const value = (request.headers.authorization ?? '').replace(/^Bearer /, '');
      const token = (await provider.AccessToken.find(value)) ?? (await provider.ClientCredentials.find(value));
      if (!token) return say(response, 401, { error: 'invalid_token', error_description: 'unknown or ended' });
      return say(response, 200, { sub: token.accountId ?? null, client: token.clientId, scope: token.scope ?? '' });
    }
    // For the tests: tokens end early, as when an administrator ends sessions, or all access.
    if (path === '/control/end-access' || path === '/control/end-all') {
      await end(living.access);
      if (path === '/control/end-all') await end(living.refresh);
      return say(response, 200, {});
    }
    if (path === '/control/granted') return say(response, 200, granted);
    // RFC 8628 §3.5: the next poll comes too soon.
    if (path === '/control/slow-down') { slow += 1; return say(response, 200, {}); }
    if (path === '/control/polls') return say(response, 200, { polls });
    if (path === '/control/clients') return say(response, 200, { made });
    if (path === '/token' && request.method === 'POST') {
      const chunks = [];
      try {
        for await (const chunk of request) chunks.push(chunk);
      } catch {
        // Nobody waits for the answer any more.
        return response.destroy();
      }
      const body = Buffer.concat(chunks);
      // The provider takes a body that was read already.
      request.body = Object.fromEntries(new URLSearchParams(body.toString()));
      if (request.body.grant_type === DEVICE) {
        polls += 1;
        if (slow > 0) { slow -= 1; return say(response, 400, { error: 'slow_down' }); }
      }
    }
    return handle(request, response);
  });
  console.log(JSON.stringify({ issuer }));
});
// The test reads the first line and nothing more; the provider's remarks must not end it.
process.stdout.on('error', () => {});
process.stdin.resume().on('end', () => process.exit(0));
