// Opens an authorization URL in headless Chromium, signs in as "ada" and consents, or refuses.
// Arguments: URL, "allow" or "deny"; for a device's page its code, too. Prints {"url","heading","text"} of the page it ends on.
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
  }
  console.log(JSON.stringify({ url: page.url(), heading: await page.textContent('h1'), text: await page.textContent('body') }));
} finally {
  await browser.close();
}
