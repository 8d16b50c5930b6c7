/**
 * An application that needs a feature which connectors of an earlier version do not name: only those of a later one are offered its
 * requests, its users are told why nobody can serve it, and the operator is told which connector it is.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readDirectory } from '../../src/cloud/index.ts'
import {
  encodeFrame,
  encodeResponseHead,
  FrameFlag,
  FrameType,
} from '../../src/protocol/internal.ts'
import { frames } from './raw-connector.ts'
import { RawLinkPeer } from './raw-link.ts'
import { startRawWorld, type RawWorld } from './raw-world.ts'
import { until } from './tunnel.ts'

/** A connector made by hand: answers every offer with its own name. */
interface Peer {
  readonly connectorId: string
  readonly served: string[]
}

let world: RawWorld
const closing: (() => void)[] = []

beforeEach(async () => {
  world = await startRawWorld()
  needing('teleport')
})
afterEach(async () => {
  for (const close of closing.splice(0)) close()
  await world.close()
})

/** `later` needs these; `open` needs nothing. */
const needing = (...needs: string[]) => having({ needs })

/** `later` has these settings. */
function having(settings: object): void {
  const { applications, ...rest } = world.configuration as { applications: object[] }
  const later = {
    ...applications[0],
    ...{ id: 'later', externalUrl: 'http://later.localhost/' },
    ...settings,
  }
  world.directory.replace(readDirectory({ ...rest, applications: [...applications, later] }))
}

const BINDINGS = {
  async link(name: string, features: readonly string[]): Promise<Peer> {
    const enrolled = await world.enrol()
    const peer = await RawLinkPeer.dial(world, enrolled, 10, features)
    closing.push(() => peer.close())
    const served: string[] = []
    peer.offered = (offer) => {
      served.push(offer.applicationId)
      const { number, frame } = peer.claim(offer)
      const head = encodeResponseHead({ status: 200, headers: ['by', name] })
      peer.write(frame, encodeFrame(FrameType.RESPONSE, FrameFlag.END, number, head))
    }
    return { connectorId: enrolled.connectorId, served }
  },
  async plain(name: string, features: readonly string[]): Promise<Peer> {
    const enrolled = await world.enrol()
    const connector = world.connect(enrolled)
    const link = await connector.link(name, 10, ['plain', ...features].join(','))
    const served: string[] = []
    link.offered = (offer) => {
      served.push(offer.applicationId)
      const head = frames.response(200, ['by', name], true)
      void connector.answer(offer.id).end(frames.claim(offer), head)
    }
    return { connectorId: enrolled.connectorId, served }
  },
}

const ask = async (host: string): Promise<string> => {
  const { status, body } = await world.user('/', {
    headers: { host, accept: 'application/json' },
  })
  const { code } = JSON.parse(body.length > 0 ? body.toString() : '{}') as { code?: string }
  return [status, code].join(' ').trim()
}

const tooOld = () =>
  world.audit.events
    .filter(({ type }) => type === 'connector.too-old')
    .map(({ connectorId, outcome, detail }) => ({ connectorId, outcome, detail }))

/** What connectors named before there was single sign-on, and these here can do. */
const OF_BEFORE = ['link', 'upgrade']

describe.each(['link', 'plain'] as const)('over the %s binding', (binding) => {
  test('a connector from before single sign-on is offered no application that needs it', async () => {
    having({ signOn: { kind: 'inject' } })
    const old = await BINDINGS[binding]('old', OF_BEFORE)
    const page = await world.user('/', {
      headers: { host: 'later.localhost', accept: 'text/html' },
    })
    expect(page.status).toBe(501)
    expect(page.body.toString()).toContain(
      'The private side cannot do what this application needs.',
    )
    expect(await ask('open.localhost')).toBe('200')
    await until(() => tooOld().length > 0)
    expect(tooOld()).toEqual([
      {
        ...{ connectorId: old.connectorId, outcome: 'refused' },
        detail: { features: ['sign-on/inject'], applications: ['later'] },
      },
    ])
    const later = await BINDINGS[binding]('later', [...OF_BEFORE, 'sign-on/inject'])
    expect(await ask('later.localhost')).toBe('200')
    expect(later.served).toContain('later')
    expect(old.served).not.toContain('later')
  })

  test('a connector that speaks no HTTP/2 is offered an application that prefers it, and none that demands it', async () => {
    await BINDINGS[binding]('old', OF_BEFORE)
    having({ backendProtocol: 'auto', internalUrl: 'https://127.0.0.1:1/' })
    expect(await ask('later.localhost')).toBe('200')
    having({ backendProtocol: 'h2c' })
    expect(await ask('later.localhost')).toBe('501 connector-too-old')
    having({ backendProtocol: 'h2', internalUrl: 'https://127.0.0.1:1/' })
    expect(await ask('later.localhost')).toBe('501 connector-too-old')
    const later = await BINDINGS[binding]('later', [...OF_BEFORE, 'h2'])
    expect(await ask('later.localhost')).toBe('200')
    expect(later.served).toEqual(['later'])
  })

  test('an older connector is offered what it can serve, and nothing else', async () => {
    const old = await BINDINGS[binding]('old', ['affinity'])
    expect(await ask('later.localhost')).toBe('501 connector-too-old')
    expect(await ask('open.localhost')).toBe('200')
    const later = await BINDINGS[binding]('later', ['teleport'])
    for (let i = 0; i < 5; i++) expect(await ask('later.localhost')).toBe('200')
    expect(later.served.filter((id) => id === 'later')).toHaveLength(5)
    expect(old.served).not.toContain('later')
  })

  test('the audit names the connector, what it lacks and what it cannot serve: once, and again when that changes', async () => {
    const { connectorId } = await BINDINGS[binding]('old', ['affinity'])
    const refused = (...features: string[]) => ({
      ...{ connectorId, outcome: 'refused' },
      detail: { features, applications: ['later'] },
    })
    await until(() => tooOld().length > 0)
    // Others are looked at as often, and nothing is said of them.
    await BINDINGS[binding]('later', ['teleport', 'affinity'])
    needing('affinity', 'teleport', 'sign-on/form')
    await until(() => tooOld().length >= 3)
    expect(tooOld()[0]).toEqual(refused('teleport'))
    expect(tooOld()[1]).toEqual(refused('sign-on/form', 'teleport'))
    expect(tooOld()).toHaveLength(3)
  })
})
