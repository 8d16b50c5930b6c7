/**
 * A cloud that is killed again and again, at any moment, while connectors register and renew, users sign out and an operator works. Whatever it had answered is
 * there when it is back, and what it had not can be asked for again.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createDirectory, KeyRing, readDirectory } from '../../src/cloud/index.ts'
import { keyRingFile } from '../../src/cloud/node/index.ts'
import { Sessions } from '../../src/cloud/session/session.ts'
import { atLeast, exactly, type Figure } from '../campaigns/campaign.ts'
import { REGISTRAR_AUDIENCE, registrarToken } from '../integration/registrar-token.ts'
import { startIssuer, type Issuer } from '../issuer.ts'
import { AnsweredChanges, CHANGES } from './answered-changes.ts'
import { CloudCalls, HOST, type CloudReady } from './cloud-calls.ts'
import { FleetPrograms, type FleetProcess } from './fleet-process.ts'
import { randomNumbers, type Random } from './random.ts'

const CLOUD = 'test/fleet/cloud.child.ts'

export interface KilledCloudOptions {
  readonly kills: number
  readonly seed: number
  /** State directories at once, each with a cloud of its own. Default 2. */
  readonly atOnce?: number
}

/** A state directory serves for so many kills. */
const KILLS = 25
/** Who asks at once. */
const CALLERS = 6
/** It is killed after so many answers, and then at any moment of so many milliseconds. */
const MOST_ANSWERS = 16
const LATEST_MS = 40

export async function killedCloud(
  { kills, seed, atOnce = 2 }: KilledCloudOptions,
  say: (line: string) => void,
): Promise<readonly Figure[]> {
  const issuer = await startIssuer()
  const programs = await FleetPrograms.bundle(CLOUD)
  const each = Math.min(KILLS, Math.ceil(kills / atOnce))
  const lives = Array.from({ length: Math.ceil(kills / each) }, (_, i) => ({
    ...{ issuer, programs, random: randomNumbers(seed * 1_000 + i) },
    kills: Math.min(each, kills - i * each),
  }))
  const lived: Lived[] = []
  try {
    const one = async () => {
      for (let life = lives.pop(); life !== undefined; life = lives.pop()) {
        lived.push(await live(life))
        const [done, lost] = [sum(lived, ({ killed }) => killed), sum(lived, lostOf)]
        say(`${done} of ${kills} kills, ${lost} changes lost`)
      }
    }
    await Promise.all(Array.from({ length: atOnce }, one))
  } finally {
    await issuer.close()
  }
  for (const line of lived.flatMap(({ changes, troubles }) => [...changes.lost, ...troubles]))
    say(line)
  return [
    exactly(
      'kills',
      sum(lived, ({ killed }) => killed),
      kills,
    ),
    ...CHANGES.map((change) =>
      atLeast(
        `answered before a kill: ${change}`,
        sum(lived, ({ changes }) => changes.answered[change]),
        kills / 10,
      ),
    ),
    atLeast(
      'under way at a kill',
      sum(lived, ({ underWay }) => underWay),
      kills,
    ),
    exactly('answered, and not there after it', sum(lived, lostOf), 0),
    exactly(
      'refused, or failed otherwise',
      sum(lived, ({ troubles }) => troubles.length),
      0,
    ),
  ]
}

interface Life {
  readonly issuer: Issuer
  readonly programs: FleetPrograms
  readonly random: Random
  readonly kills: number
}

interface Lived {
  readonly changes: AnsweredChanges
  killed: number
  /** Calls that a kill broke off. */
  underWay: number
  /** What went wrong before any kill. */
  readonly troubles: string[]
}

const sum = (lived: readonly Lived[], of: (one: Lived) => number) =>
  lived.reduce((total, one) => total + of(one), 0)
const lostOf = ({ changes }: Lived) => changes.lost.length

/** The kills of one state directory. */
async function live({ issuer, programs, random, kills }: Life): Promise<Lived> {
  const folder = await mkdtemp(join(tmpdir(), 'killed-cloud-'))
  const stateDir = join(folder, 'state')
  const file = join(folder, 'cloud.json')
  const configuration = configurationOf(stateDir, issuer.url)
  await writeFile(file, JSON.stringify(configuration), { mode: 0o600 })
  const start = () => programs.start<CloudReady>(CLOUD, 'cloud', 'run', '--config', file, '--json')
  let cloud: FleetProcess<CloudReady> | undefined
  let close: () => void = () => undefined
  try {
    cloud = await start()
    const keyRing = await KeyRing.open({ store: keyRingFile(join(stateDir, 'key-ring.json')) })
    close = () => keyRing.close()
    const changes = new AnsweredChanges({
      random,
      token: () => registrarToken(issuer),
      session: signedIn(configuration.directory, issuer.url, keyRing),
    })
    const lived: Lived = { changes, killed: 0, underWay: 0, troubles: [] }
    for (; lived.killed < kills; lived.killed++) {
      await untilKilled(cloud, stateDir, lived, random)
      cloud = await start()
      await changes.check(new CloudCalls(cloud.ready, stateDir), lived.killed === kills - 1)
    }
    return lived
  } finally {
    close()
    await cloud?.kill()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Callers ask without end, and the cloud is killed under them. */
async function untilKilled(
  process: FleetProcess<CloudReady>,
  stateDir: string,
  lived: Lived,
  random: Random,
): Promise<void> {
  const cloud = new CloudCalls(process.ready, stateDir)
  let isKilled = false
  let left = Math.ceil(MOST_ANSWERS * random())
  let enough: () => void = () => undefined
  const isEnough = new Promise<void>((resolve) => (enough = resolve))
  const callers = Array.from({ length: CALLERS }, async () => {
    while (!isKilled)
      try {
        await lived.changes.ask(cloud)
        if (--left === 0) enough()
      } catch (error) {
        if (isKilled && !('reason' in (error as object))) lived.underWay += 1
        else {
          lived.troubles.push(String(error))
          return enough()
        }
      }
  })
  await isEnough
  await sleep(LATEST_MS * random())
  isKilled = true
  await process.kill()
  await Promise.all(callers)
}

function configurationOf(stateDir: string, issuer: string) {
  const tenant = { id: 'contoso', issuer, registrars: { audience: REGISTRAR_AUDIENCE } }
  return {
    ...{ stateDir, users: { port: 0 }, connectors: { port: 0 }, admin: { port: 0 } },
    audit: { to: { file: `${stateDir}-audit.jsonl` } },
    directory: {
      tenants: [{ ...tenant, connectorLimit: 100_000, enrolmentTickets: true }],
      groups: [{ id: 'default', tenantId: 'contoso' }],
      applications: [
        {
          ...{ id: 'wiki', groupId: 'default', client: { id: 'wiki' } },
          ...{ externalUrl: `http://${HOST}/`, internalUrl: 'http://127.0.0.1:1/' },
          preAuthentication: 'oidc',
        },
      ],
    },
  }
}

/** Signs somebody in, with the keys that the cloud keeps. */
function signedIn(configured: unknown, issuer: string, keyRing: KeyRing) {
  const application = createDirectory(readDirectory(configured)).application('wiki')!
  const sessions = new Sessions({ keyRing })
  return async () => {
    const user = { issuer, subject: 'alice', groups: [], roles: [] }
    const expiresAt = Date.now() + 3_600_000
    const started = await sessions.start(application, HOST, { ...user, expiresAt })
    return { id: started.session.id, cookie: started.setCookie.split(';', 1)[0]! }
  }
}
