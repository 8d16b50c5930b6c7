/**
 * State directories that were damaged, each in one place, and what the commands that read them say: by a seed, so that what was found is found again.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Example } from '../integration/processes.ts'

const CHILD = fileURLToPath(new URL('damage.child.ts', import.meta.url))
const PAGE = 4096

/** How a file is damaged. */
const DAMAGES: Readonly<Record<string, (file: Buffer, random: () => number) => Buffer>> = {
  'made empty': () => Buffer.alloc(0),
  'cut off': (file, random) => file.subarray(0, Math.floor(random() * file.length)),
  'one bit': (file, random) => {
    const at = Math.floor(random() * file.length)
    file[at]! ^= 1 << Math.floor(random() * 8)
    return file
  },
  'a page of zeros': (file, random) => {
    const at = Math.floor((random() * file.length) / PAGE) * PAGE
    return file.fill(0, at, Math.min(file.length, at + PAGE))
  },
  noise: (file, random) => {
    const at = Math.floor(random() * file.length)
    for (let i = at; i < Math.min(file.length, at + 64); i++) file[i] = Math.floor(random() * 256)
    return file
  },
  'something else': (file) => Buffer.from('hello\n'.repeat(file.length % 7)),
}

/** What became of one. */
export interface Damaged {
  readonly file: string
  readonly damage: string
  /** `undefined`: the process was ended by a signal. */
  readonly code: number | undefined
  readonly lines: readonly string[]
}

/** Damages so many, and tells of each. */
export async function tryDamages(
  count: number,
  seed: number,
  tell: (one: Damaged) => void = () => undefined,
): Promise<readonly Damaged[]> {
  const root = mkdtempSync(join(tmpdir(), 'app-proxy-damaged-'))
  const commands = new Commands()
  try {
    const whole = await wholeState(root, commands)
    const files = ['cloud', 'connector'].flatMap((part) =>
      readdirSync(join(whole, part))
        .filter((name) => !/lock|public/.test(name))
        .map((name) => join(part, name)),
    )
    const random = randomOf(seed)
    const kinds = Object.keys(DAMAGES)
    const results: Damaged[] = []
    for (let i = 0; i < count; i++) {
      const state = join(root, `state-${i}`)
      cpSync(whole, state, { recursive: true })
      // Every file in turn; which damage, and where, is chance.
      const file = files[i % files.length]!
      const damage = kinds[Math.floor(random() * kinds.length)]!
      const path = join(state, file)
      writeFileSync(path, DAMAGES[damage]!(readFileSync(path), random))
      const ended = await commands.run(commandFor(file, state))
      const one = { file, damage, ...ended }
      results.push(one)
      tell(one)
      rmSync(state, { recursive: true, force: true })
    }
    return results
  } finally {
    await commands.end()
    rmSync(root, { recursive: true, force: true })
  }
}

/** The command that reads it, as far as that. */
function commandFor(file: string, state: string): readonly string[] {
  if (file.startsWith('cloud/')) {
    const configuration = join(state, 'cloud.json')
    const text = readFileSync(configuration, 'utf8')
    writeFileSync(configuration, text.replace(/"stateDir":"[^"]*"/, `"stateDir":"${state}/cloud"`))
    return ['cloud', 'run', '--config', configuration]
  }
  const stateDir = ['--state-dir', join(state, 'connector')]
  return file.endsWith('status.json')
    ? ['connector', 'status', ...stateDir]
    : ['connector', 'check', '--url', 'https://127.0.0.1:1', ...stateDir]
}

/** A cloud that ran, a connector that was registered, and nothing wrong with either. */
async function wholeState(root: string, commands: Commands): Promise<string> {
  const whole = join(root, 'whole')
  mkdirSync(whole)
  const file = join(whole, 'cloud.json')
  const ticket = join(root, 'ticket')
  writeFileSync(file, JSON.stringify(configurationOf(join(whole, 'cloud'))), { mode: 0o600 })
  const cloud = await Example.start<{ connectorUrl: string; caFile: string }>('cloud run', [
    ...['--config', file],
  ])
  try {
    const { connectorUrl, caFile } = cloud.ready
    const made = ['cloud', 'ticket', '--config', file, '--tenant', 'contoso', '--active']
    for (const command of [
      [...made, '--out', ticket],
      [...made, '--out', `${ticket}-open`],
      [
        ...['connector', 'run', '--url', connectorUrl, '--ca', caFile, '--ticket-file', ticket],
        ...['--state-dir', join(whole, 'connector')],
      ],
    ]) {
      const { code, lines } = await commands.run(command)
      if (code !== 0) throw new Error(`${command[1]}: ${lines.join('\n')}`)
    }
  } finally {
    await cloud.stop()
  }
  return whole
}

const configurationOf = (stateDir: string) => ({
  stateDir,
  users: { port: 0 },
  connectors: { port: 0 },
  audit: { to: { file: '/dev/null' } },
  directory: {
    tenants: [
      {
        ...{ id: 'contoso', issuer: 'https://id.example', enrolmentTickets: true },
        registrars: { audience: 'urn:app-proxy:registration' },
      },
    ],
    groups: [{ id: 'default', tenantId: 'contoso' }],
    applications: [
      {
        ...{ id: 'open', groupId: 'default', preAuthentication: 'passthrough' },
        ...{ externalUrl: 'http://open.localhost/', internalUrl: 'http://127.0.0.1:1/' },
      },
    ],
  },
})

/** One process runs them all; where one takes it along, the next has another. */
class Commands {
  #child: ChildProcess | undefined
  #exit: Promise<[code: number | null, signal: NodeJS.Signals | null]> | undefined

  async run(argv: readonly string[]): Promise<Pick<Damaged, 'code' | 'lines'>> {
    if (this.#child === undefined) {
      const child = spawn(process.execPath, ['--import', 'tsx', CHILD], {
        stdio: ['pipe', 'pipe', 'ignore'],
      })
      this.#child = child
      this.#exit = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
    }
    const answers = createInterface(this.#child.stdout!)
    this.#child.stdin!.write(`${JSON.stringify(argv)}\n`)
    const line = once(answers, 'line') as Promise<[string]>
    const answer = await Promise.race([line, this.#exit!])
    answers.close()
    if (answer.length === 1) return JSON.parse(answer[0]) as { code: number; lines: string[] }
    this.#child = undefined
    return { code: undefined, lines: [`ended by ${answer.join(' ')}`] }
  }

  async end(): Promise<void> {
    this.#child?.stdin!.end()
    if (this.#child !== undefined) await this.#exit
  }
}

/** Mulberry32: from 0 to below 1. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Those that ended without saying what it is, in words for people, or by a signal. */
export function faultsOf(all: readonly Damaged[]): readonly Damaged[] {
  return all.filter(({ file, code, lines }) => {
    if (code === undefined || ![0, 1, 2, 3].includes(code)) return true
    if (lines.some((line) => /^ +at |--verbose shows where/.test(line))) return true
    // A connector's checks say on stdout what is wrong; files and options are named on stderr.
    return code > 1 && !lines.join('\n').includes(file.split('/')[1]!)
  })
}
