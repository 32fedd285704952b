// Opens an authorization URL in headless Chromium, signs in as "ada" and consents, or refuses.
// Arguments: URL, "allow" or "deny"; for a device's page its code, too. Prints {"url","heading","text"} of the page it ends on,
// with "card", how its style came out, and "faults", what the browser complained about there.
import { chromium } from 'playwright-core';

const [url, decision, code] = process.argv.slice(1);
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(15_000);
  const faults = [];
  const ours = (address) => { try { return new URL(address).pathname === '/callback'; } catch { return false; } };
  page.on('console', (said) => {
    if (['error', 'warning'].includes(said.type()) && (ours(page.url()) || ours(said.location().url))) faults.push(said.text());
  });
  page.on('pageerror', (error) => { if (ours(page.url())) faults.push(String(error)); });
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  // The provider's pages ask for a web font; nothing leaves this machine.
  await page.route((address) => address.hostname !== '127.0.0.1', (route) => route.abort());
  await page.goto(url);
  if (code) {
    // oidc-provider fills in the code of a complete address by itself; it is confirmed all the same.
    await page.waitForSelector('form[id="op.deviceInputForm"], form[id="op.deviceConfirmForm"]', { state: 'attached' });
    if (await page.$('form[id="op.deviceInputForm"]')) {
      await page.fill('input[name=user_code]', code);
      await page.click('button[type=submit]');
      await page.waitForSelector('form[id="op.deviceConfirmForm"]', { state: 'attached' });
    }
    if (!(await page.textContent('body')).includes(code)) throw new Error('the page shows another code');
    await page.click(decision === 'deny' ? 'button[name=abort]' : 'button[type=submit]:not([name=abort])');
  }
  if (decision === 'deny' && !code) {
    await page.click('a[href$="/abort"]');
  } else if (decision !== 'deny') {
    await page.fill('input[name=login]', 'ada');
    await page.fill('input[name=password]', 'x');
    await page.click('button[type=submit]');
    await page.waitForSelector('input[name=prompt][value=consent]', { state: 'attached' });
    await page.click('button[type=submit]');
  }
  if (code) {
    await page.waitForLoadState('load');
    await page.waitForSelector('h1');
  } else {
    await page.waitForURL((address) => address.pathname === '/callback');
    await page.waitForSelector('main h1');
    await page.waitForLoadState('networkidle');
  }
  const card = await page.evaluate(() => {
    const main = document.querySelector('main');
    if (!main) return null;
    const style = getComputedStyle(main);
    return { radius: style.borderTopLeftRadius, mark: style.borderTopColor, bar: location.search + location.hash };
  });
  if (!code) faults.push(...await page.evaluate(() => window.violations));
  console.log(JSON.stringify({ url: page.url(), heading: await page.textContent('h1'), text: await page.textContent('body'), card, faults }));
} finally {
  await browser.close();
}
