/**
 * A real realm on loopback: OpenLDAP, MIT's KDC over it, who may delegate to whom, and keytabs. All
 * of it is in one temporary folder.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { fileOf } from '../debian-package-files.ts'

/** The Debian packages that it is made of. */
export const REALM_PACKAGES = [
  'krb5-kdc',
  'krb5-kdc-ldap',
  'krb5-admin-server',
  'krb5-user',
  'slapd',
  'ldap-utils',
  'libgssapi-krb5-2',
]

/** … and Apache, beside it. */
export const APACHE_PACKAGES = ['apache2', 'libapache2-mod-auth-gssapi']

export const REALM = 'APPROXY.TEST'
const ADMINISTRATOR = ['-D', 'cn=admin,dc=test', '-w', 'adminpw']
const SCHEMA = fileURLToPath(new URL('kerberos.schema', import.meta.url))

/** Accounts of the realm, and the service principals: `HTTP/other.test` is not delegated to. */
export const USERS = ['alice', 'bob', 'administrator', 'dave.o-hara']
export const SERVICES = ['HTTP/backend.test', 'HTTP/other.test']

export class KerberosWorld {
  readonly folder: string
  readonly port: number
  readonly said: string[] = []
  readonly #environment: Record<string, string>
  #directory: ChildProcess | undefined
  #kdc: ChildProcess | undefined
  #apache: ChildProcess | undefined

  private constructor(folder: string, port: number) {
    this.folder = folder
    this.port = port
    this.#environment = {
      ...{ PATH: process.env['PATH'] ?? '', LC_ALL: 'C' },
      ...{ KRB5_CONFIG: this.configuration, KRB5_KDC_PROFILE: this.file('kdc.conf') },
      ...{ KRB5CCNAME: `FILE:${this.file('ccache')}`, KRB5RCACHENAME: 'none:' },
    }
  }

  static async start(): Promise<KerberosWorld> {
    const folder = await mkdtemp(join(tmpdir(), 'app-proxy-kerberos-'))
    const world = new KerberosWorld(folder, await freePort())
    try {
      await world.#make()
      return world
    } catch (error) {
      await world.stop()
      throw new Error(`${String(error)}\n${world.said.join('').slice(-2_000)}`, { cause: error })
    }
  }

  /** What `KRB5_CONFIG` names. */
  get configuration(): string {
    return this.file('krb5.conf')
  }

  file(name: string): string {
    return join(this.folder, name)
  }

  /** Of the connector's account, which may act for any user towards `HTTP/backend.test`. */
  get keytab(): string {
    return this.file('connector.keytab')
  }

  /** Of both services. */
  get serviceKeytab(): string {
    return this.file('http.keytab')
  }

  /** A program with the realm's configuration. @throws with what it said when it fails */
  async run(program: string, args: readonly string[], input = ''): Promise<string> {
    const child = spawn(program, args, { cwd: this.folder, env: this.#environment })
    child.stdin.on('error', () => undefined).end(input)
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), closed(child)])
    if (child.exitCode !== 0) throw new Error(`${program} ${args.join(' ')}: ${out}${err}`)
    return out
  }

  /** Commands of the realm's administrator, one after the other. */
  async administer(...commands: readonly string[]): Promise<void> {
    await this.run(fileOf('krb5-admin-server'), ['-r', REALM], commands.join('\n') + '\n')
  }

  /** Lets a principal act for others towards these services, and no more. */
  async delegate(principal: string, ...services: readonly string[]): Promise<void> {
    const targets = services.map((name) => `krbAllowedToDelegateTo: ${name}@${REALM}\n`)
    const entry = `dn: krbPrincipalName=${principal}@${REALM},cn=${REALM},cn=krb,dc=test\n`
    const change = `${entry}changetype: modify\nreplace: krbAllowedToDelegateTo\n${targets.join('')}`
    await this.run('ldapmodify', ['-x', '-H', this.#ldap, ...ADMINISTRATOR], change)
  }

  /** A principal that may act for others by its keytab. */
  async addConnector(name: string, keytab: string, options = '+ok_to_auth_as_delegate') {
    await this.administer(
      `addprinc -randkey ${options} ${name}`,
      `ktadd -k ${this.file(keytab)} ${name}`,
    )
    await this.delegate(name, 'HTTP/backend.test')
    return this.file(keytab)
  }

  async startKdc(): Promise<void> {
    this.#kdc = this.#spawn(fileOf('krb5-kdc'), ['-n', '-r', REALM, '-P', this.file('kdc.pid')])
    await this.#until(() => accepts(this.port))
  }

  /** Nobody listens any more. */
  async stopKdc(): Promise<void> {
    await ended(this.#kdc)
    this.#kdc = undefined
  }

  /** It accepts connections and says nothing. */
  freezeKdc(): void {
    this.#kdc?.kill('SIGSTOP')
  }

  thawKdc(): void {
    this.#kdc?.kill('SIGCONT')
  }

  /**
   * Apache, which lets in whom `mod_auth_gssapi` accepts by the services' keys, and says who it is
   * in `X-Remote-User`. Returns its port.
   */
  async startApache(): Promise<number> {
    const port = await freePort()
    await mkdir(this.file('www'))
    await writeFile(this.file('www/index.html'), 'here is Apache')
    await writeFile(this.file('httpd.conf'), this.#apacheConfiguration(port))
    // It serves as somebody else.
    for (const folder of [this.folder, this.file('www')]) await chmod(folder, 0o755)
    this.#apache = this.#spawn(fileOf('apache2'), ['-DFOREGROUND', '-f', this.file('httpd.conf')])
    await this.#until(() => accepts(port))
    return port
  }

  async stop(): Promise<void> {
    await ended(this.#apache, 'SIGTERM')
    this.thawKdc()
    await ended(this.#kdc)
    await ended(this.#directory)
    await rm(this.folder, { recursive: true, force: true })
  }

  get #ldap(): string {
    return `ldapi://${encodeURIComponent(this.file('ldapi'))}`
  }

  async #make(): Promise<void> {
    for (const [name, content] of Object.entries(this.#files()))
      await writeFile(this.file(name), content)
    await mkdir(this.file('ldap'))
    this.#directory = this.#spawn(fileOf('slapd'), [
      '-d',
      '0',
      '-f',
      'slapd.conf',
      '-h',
      this.#ldap,
    ])
    const root =
      'dn: dc=test\nobjectClass: dcObject\nobjectClass: organization\ndc: test\no: test\n'
    const add = ['-x', '-H', this.#ldap, ...ADMINISTRATOR]
    await this.#until(() =>
      this.run(fileOf('ldap-utils'), add, root).then(
        () => true,
        () => false,
      ),
    )
    await this.#makeRealm()
    await this.startKdc()
  }

  async #makeRealm(): Promise<void> {
    const tool = fileOf('krb5-kdc-ldap')
    const subtree = ['-subtrees', 'dc=test', '-r', REALM, '-s', '-P', 'masterpw']
    await this.run(tool, [...ADMINISTRATOR, '-H', this.#ldap, 'create', ...subtree])
    const stash = ['stashsrvpw', '-f', this.file('ldap.pw'), 'cn=admin,dc=test']
    await this.run(tool, [...ADMINISTRATOR, ...stash], 'adminpw\nadminpw\n')
    await this.administer(
      ...USERS.map((name) => `addprinc -pw ${name}-password ${name}`),
      ...SERVICES.map((name) => `addprinc -randkey ${name}`),
      ...SERVICES.map((name) => `ktadd -k ${this.serviceKeytab} ${name}`),
    )
    await this.addConnector('connector/host1', 'connector.keytab')
    await chmod(this.serviceKeytab, 0o644)
  }

  #apacheConfiguration(port: number): string {
    const modules = [
      'mpm_event',
      'authn_core',
      'authz_core',
      'authz_user',
      'auth_gssapi',
      'headers',
      'dir',
    ]
    return `${modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
Listen 127.0.0.1:${port}
ServerName backend.test
PidFile ${this.file('httpd.pid')}
Mutex file:${this.folder} default
ErrorLog ${this.file('httpd.log')}
User www-data
Group www-data
DocumentRoot ${this.file('www')}
DirectoryIndex index.html
Header always set X-Remote-User "expr=%{REMOTE_USER}"
<Location />
 AuthType GSSAPI
 AuthName backend
 GssapiCredStore keytab:${this.serviceKeytab}
 Require valid-user
</Location>
`
  }

  #files(): Record<string, string> {
    return {
      'slapd.conf': `include /etc/ldap/schema/core.schema
include ${SCHEMA}
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "dc=test"
rootdn "cn=admin,dc=test"
rootpw adminpw
directory ${this.file('ldap')}
index krbPrincipalName eq
`,
      'krb5.conf': `[libdefaults]
 default_realm = ${REALM}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
 forwardable = true
 udp_preference_limit = 1
[realms]
 ${REALM} = {
  kdc = 127.0.0.1:${this.port}
  database_module = ldap
 }
[dbmodules]
 ldap = {
  db_library = kldap
  ldap_kerberos_container_dn = cn=krb,dc=test
  ldap_kdc_dn = cn=admin,dc=test
  ldap_kadmind_dn = cn=admin,dc=test
  ldap_service_password_file = ${this.file('ldap.pw')}
  ldap_servers = ${this.#ldap}
  disable_last_success = true
  disable_lockout = true
 }
`,
      'kdc.conf': `[kdcdefaults]
 kdc_listen = 127.0.0.1:${this.port}
 kdc_tcp_listen = 127.0.0.1:${this.port}
[realms]
 ${REALM} = {
  key_stash_file = ${this.file('stash')}
  supported_enctypes = aes256-cts:normal aes128-cts:normal
 }
[logging]
 kdc = FILE:${this.file('kdc.log')}
`,
    }
  }

  #spawn(program: string, args: readonly string[]): ChildProcess {
    const child = spawn(program, args, {
      cwd: this.folder,
      env: this.#environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data) => this.said.push(String(data)))
    return child
  }

  async #until(isUp: () => Promise<boolean>): Promise<void> {
    for (let i = 0; i < 1_200; i++) {
      if (await isUp()) return
      await wait(25)
    }
    throw new Error('it does not serve')
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

export async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

async function closed(child: ChildProcess): Promise<void> {
  await once(child, 'close')
}

async function ended(
  child: ChildProcess | undefined,
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill(signal)
  await exit
}
