import { generateKeyPairSync } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { describeWithPackages, fileOf } from '../debian-packages.ts'
import { issuerStory } from './issuer-story.ts'
import { freePort, ServedProcess } from '../served-process.ts'
import { shownConfiguration, startCloud } from './real-issuer.ts'

const PAGE = 'lemonldap-ng.md'
const [SHOWN_ISSUER, SHOWN_APPLICATION] = [4600, 8080]
const PACKAGES = ['lemonldap-ng', 'libplack-perl', 'libio-string-perl', 'libstring-random-perl']

describeWithPackages('LemonLDAP::NG', PACKAGES, () => {
  let issuer: ServedProcess
  let cloud: Awaited<ReturnType<typeof startCloud>>
  let application: string

  beforeAll(async () => {
    const [port, users] = [await freePort(), await freePort()]
    application = `http://wiki.localhost:${users}/`
    issuer = await ServedProcess.inFolder('lemonldap')
    await install(issuer, port, application)
    const ports = new Map([
      [SHOWN_ISSUER, port],
      [SHOWN_APPLICATION, users],
    ])
    cloud = await startCloud(shownConfiguration(PAGE, ports), users)
  }, 90_000)
  afterAll(async () => {
    cloud?.close()
    await issuer?.stop()
  })

  issuerStory(() => ({
    application,
    audit: cloud.audit,
    onlyAtUserInfo: ['groups', 'email', 'email_verified'],
    users: { staff: 'dwho', guest: 'msmith', byEmail: 'rtyler' },
    asks: ({ body }) => /name="password"/.test(body),
    async signIn(client, page, user) {
      const fields = new URLSearchParams()
      for (const [input] of page.body.matchAll(/<input[^>]*>/g)) {
        const name = /name="([^"]*)"/.exec(input)?.[1]
        if (name !== undefined) fields.set(name, /value="([^"]*)"/.exec(input)?.[1] ?? '')
      }
      fields.set('user', user)
      fields.set('password', user)
      const isBack = (location: URL) => location.origin === new URL(application).origin
      return client.follow(await client.go(new URL('/', page.url), fields), isBack)
    },
    // It knows whose session ends, and asks nothing.
    confirmEnd: async (_, page) => page,
  }))
})

/** Everything in the folder of the test, and the portal without a web server of the system. */
async function install(issuer: ServedProcess, port: number, application: string): Promise<void> {
  const at = (path: string) => join(issuer.folder, path)
  for (const path of ['conf', 'sessions/lock', 'psessions/lock', 'cache'])
    await mkdir(at(path), { recursive: true })
  await writeFile(
    at('conf/lmConf-1.json'),
    JSON.stringify(configuration(at, `http://localhost:${port}`, application)),
  )
  await writeFile(
    at('lemonldap-ng.ini'),
    `[all]
logLevel = warn
logger = Lemonldap::NG::Common::Logger::Std
userLogger = Lemonldap::NG::Common::Logger::Std
[configuration]
type = File
dirName = ${at('conf')}
localStorage = Cache::FileCache
localStorageOptions = { 'namespace' => 'configuration', 'cache_root' => '${at('cache')}' }
[portal]
templateDir = /usr/share/lemonldap-ng/portal/templates
staticPrefix = /static
languages = en
`,
  )
  // The one that comes with it draws pictures, and wants libraries for that.
  const captcha = at('lib/Lemonldap/NG/Portal/Captcha/None.pm')
  await mkdir(dirname(captcha), { recursive: true })
  await writeFile(
    captcha,
    `package Lemonldap::NG::Portal::Captcha::None;
use Mouse;
extends 'Lemonldap::NG::Common::Module';
sub init { 1 }
1;
`,
  )
  const portal = fileOf('lemonldap-ng')
  const listen = ['--host', '127.0.0.1', '--port', String(port), '-E', 'deployment']
  await issuer.start(
    fileOf('libplack-perl'),
    ['-s', 'HTTP::Server::PSGI', ...listen, portal],
    `http://localhost:${port}/.well-known/openid-configuration`,
    { LLNG_DEFAULTCONFFILE: at('lemonldap-ng.ini'), PERL5LIB: at('lib') },
  )
}

function configuration(at: (path: string) => string, issuer: string, application: string) {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const files = (path: string) => ({
    Directory: at(path),
    LockDirectory: at(`${path}/lock`),
    generateModule: 'Lemonldap::NG::Common::Apache::Session::Generate::SHA256',
  })
  const option = (name: string) => `oidcRPMetaDataOptions${name}`
  return {
    ...{ cfgNum: 1, cfgVersion: '2.16.1', cfgAuthor: 'test', cfgDate: '1', requireToken: 0 },
    ...{ portal: `${issuer}/`, domain: 'localhost', cookieName: 'lemonldap', securedCookie: 0 },
    ...{ authentication: 'Demo', userDB: 'Same', passwordDB: 'Demo', registerDB: 'Null' },
    ...{ captcha: '::Captcha::None', notification: 0, loginHistoryEnabled: 0 },
    demoExportedVars: { cn: 'cn', mail: 'mail', uid: 'uid' },
    whatToTrace: 'uid',
    groups: { staff: '$uid eq "dwho"' },
    ...{ globalStorage: 'Apache::Session::File', globalStorageOptions: files('sessions') },
    ...{ persistentStorage: 'Apache::Session::File', persistentStorageOptions: files('psessions') },
    localSessionStorage: 'Cache::FileCache',
    localSessionStorageOptions: { cache_root: at('cache'), namespace: 'sessions' },
    locationRules: { localhost: { default: 'accept' } },
    issuerDBOpenIDConnectActivation: 1,
    oidcServiceMetaDataIssuer: issuer,
    oidcServicePrivateKeySig: privateKey.export({ type: 'pkcs1', format: 'pem' }),
    oidcServicePublicKeySig: publicKey.export({ type: 'spki', format: 'pem' }),
    oidcServiceKeyIdSig: 'k1',
    oidcServiceAllowAuthorizationCodeFlow: 1,
    oidcRPMetaDataOptions: {
      wiki: {
        [option('ClientID')]: 'wiki',
        [option('ClientSecret')]: 'a-b_c.d~e',
        [option('IDTokenSignAlg')]: 'RS256',
        [option('RequirePKCE')]: 1,
        [option('BypassConsent')]: 1,
        [option('LogoutBypassConfirm')]: 1,
        [option('RedirectUris')]: `${application}.app-proxy/sign-in/callback`,
        [option('PostLogoutRedirectUris')]: `${application}.app-proxy/signed-out`,
      },
    },
    oidcRPMetaDataExportedVars: {
      wiki: {
        ...{ name: 'cn', email: 'mail', email_verified: 'verified;bool' },
        groups: 'groups;string;always',
      },
    },
    oidcRPMetaDataMacros: { wiki: { verified: '1' } },
    oidcRPMetaDataOptionsExtraClaims: { wiki: { groups: 'groups' } },
  }
}
