/**
 * The realm of an Active Directory on loopback: Samba as domain controller, its KDC alone, an account for connectors that may act for any user towards one service.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { findProgram } from '../../bench/harness/machine.ts'
import { accepts, freePort } from './kerberos-world.ts'

export const SAMBA_REALM = 'AD.TEST'
const CONNECTOR = 'svc-conn'

/** Why it cannot be here; undefined: it can. It is no part of what every change needs. */
export function missingSamba(): string | undefined {
  if (process.getuid?.() !== 0) return 'Samba takes its database as root only'
  const missing = ['samba', 'samba-tool', 'ldbmodify'].filter((name) => !findProgram(name))
  if (missing.length === 0) return undefined
  const packages = 'samba samba-ad-provision samba-dsdb-modules samba-vfs-modules ldb-tools winbind'
  return `no ${missing.join(', ')}: apt-get install --no-install-recommends ${packages}`
}

export class SambaWorld {
  readonly folder: string
  readonly port: number
  readonly said: string[] = []
  #samba: ChildProcess | undefined

  private constructor(folder: string, port: number) {
    this.folder = folder
    this.port = port
  }

  static async start(): Promise<SambaWorld> {
    const folder = await mkdtemp(join(tmpdir(), 'app-proxy-samba-'))
    const world = new SambaWorld(folder, await freePort())
    try {
      await world.#make()
      return world
    } catch (error) {
      await world.stop()
      throw new Error(`${String(error)}\n${world.said.join('').slice(-2_000)}`, { cause: error })
    }
  }

  file(name: string): string {
    return join(this.folder, name)
  }

  get configuration(): string {
    return this.file('krb5-client.conf')
  }

  get keytab(): string {
    return this.file('connector.keytab')
  }

  get serviceKeytab(): string {
    return this.file('http.keytab')
  }

  /** An administrator's command. */
  tool(...args: readonly string[]): Promise<string> {
    return this.#run('samba-tool', [...args, '-s', this.file('etc/smb.conf')])
  }

  async stop(): Promise<void> {
    const samba = this.#samba
    if (samba !== undefined && samba.exitCode === null && samba.signalCode === null) {
      const exit = once(samba, 'exit')
      // It ends those that it has started.
      samba.kill('SIGTERM')
      await exit
    }
    await rm(this.folder, { recursive: true, force: true })
  }

  async #make(): Promise<void> {
    const lo = ['--option=interfaces=lo', '--option=bind interfaces only=yes']
    await this.#run('samba-tool', [
      ...['domain', 'provision', `--targetdir=${this.folder}`, `--realm=${SAMBA_REALM}`],
      ...['--domain=ADTEST', '--adminpass=Passw0rd.123', '--server-role=dc'],
      ...['--dns-backend=SAMBA_INTERNAL', '--host-name=dc1', '--host-ip=127.0.0.1', ...lo],
    ])
    await this.#onlyKdc()
    for (const name of ['alice', 'bob', 'dan', 'erin', 'svc-web', 'svc-other', CONNECTOR])
      await this.tool('user', 'create', name, `Start.${name}.1`, ...this.#database)
    await this.tool('user', 'sensitive', 'erin', 'on', ...this.#database)
    await this.tool('spn', 'add', 'HTTP/backend.test', 'svc-web')
    await this.tool('spn', 'add', 'HTTP/other.test', 'svc-other')
    await this.tool('spn', 'add', 'connector/host1', CONNECTOR)
    await this.tool('delegation', 'add-service', CONNECTOR, 'HTTP/backend.test', ...this.#database)
    await this.tool('delegation', 'for-any-protocol', CONNECTOR, 'on', ...this.#database)
    for (const name of ['svc-web', CONNECTOR]) {
      await this.#onlyAes(name)
      const password = `--newpassword=Then.${name}.2`
      await this.tool('user', 'setpassword', name, password, ...this.#database)
    }
    const export_ = (file: string, principal: string) =>
      this.tool('domain', 'exportkeytab', file, `--principal=${principal}`)
    await export_(this.serviceKeytab, 'HTTP/backend.test')
    await export_(this.keytab, CONNECTOR)
    await chmod(this.keytab, 0o600)
    await writeFile(this.configuration, this.#clientConfiguration())
    this.#samba = this.#spawn('samba', ['-i', '--debug-stdout', '-s', this.file('etc/smb.conf')])
    for (let i = 0; i < 1_200 && !(await accepts(this.port)); i++) {
      if (this.#samba.exitCode !== null) throw new Error('samba has ended')
      await wait(50)
    }
  }

  get #database(): readonly string[] {
    return ['-H', this.file('private/sam.ldb')]
  }

  /** No other service, and nothing outside of the folder. */
  async #onlyKdc(): Promise<void> {
    const file = this.file('etc/smb.conf')
    const given = await readFile(file, 'utf8')
    const ours = [
      ...['server services = kdc', `krb5 port = ${this.port}`, 'kpasswd port = 0'],
      ...[`pid directory = ${this.folder}`, `log file = ${this.file('samba.log')}`],
      ...[`ntp signd socket directory = ${this.file('ntp')}`],
      ...[`winbindd socket directory = ${this.file('winbind')}`],
    ]
    const kept = given.replace(/^.*dns forwarder.*$/m, '').replaceAll('/var/log/samba', this.folder)
    await writeFile(file, kept.replace('[global]', `[global]\n\t${ours.join('\n\t')}`))
  }

  async #onlyAes(name: string): Promise<void> {
    const change = `dn: CN=${name},CN=Users,DC=ad,DC=test
changetype: modify
replace: msDS-SupportedEncryptionTypes
msDS-SupportedEncryptionTypes: 24
`
    await this.#run('ldbmodify', [...this.#database], change)
  }

  #clientConfiguration(): string {
    return `[libdefaults]
 default_realm = ${SAMBA_REALM}
 dns_lookup_kdc = false
 dns_canonicalize_hostname = false
 rdns = false
 forwardable = true
 udp_preference_limit = 1
[realms]
 ${SAMBA_REALM} = {
  kdc = 127.0.0.1:${this.port}
 }
`
  }

  #spawn(program: string, args: readonly string[]): ChildProcess {
    const child = spawn(findProgram(program)!, args, { cwd: this.folder })
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data) => this.said.push(String(data)))
    return child
  }

  async #run(program: string, args: readonly string[], input = ''): Promise<string> {
    const child = spawn(findProgram(program)!, args, { cwd: this.folder })
    child.stdin.on('error', () => undefined).end(input)
    const closed = once(child, 'close')
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), closed])
    if (child.exitCode !== 0) throw new Error(`${program} ${args.join(' ')}: ${out}${err}`)
    return out
  }
}
