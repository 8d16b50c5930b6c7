/**
 * A connector that is of no use, as a process of its own. It registers, comes up, says so on stdout as `app-proxy connector run`
 * does, and says each request that it is asked on stderr, by its method.
 *
 *     useless-connector.child.ts HOW --url URL --ca FILE --token-file FILE --state-dir DIR
 *
 * HOW is one of
 *
 * - `unresolving`: the product's own, where nobody can resolve the application's name;
 * - `declining`: made by hand, with 5,000 grants, and declines each offer;
 * - `silent`: made by hand, claims each offer and answers none.
 */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import {
  ForwardingBackend,
  MemoryIdentityStore,
  register,
  systemEnvironment,
  type BackendCall,
  type BackendEvents,
  type BackendRequest,
} from '../../src/connector/index.ts'
import { HttpsControlChannel, NodeBackend, startConnector } from '../../src/connector/node/index.ts'
import { tlsOptions } from '../../src/connector/node/tls-options.ts'
import { encodeCredit, encodeDecline, encodeFrame, FrameType } from '../../src/protocol/internal.ts'
import { until } from '../until.ts'
import { RawLinkPeer } from './raw-link.ts'

const text = { type: 'string', default: '' } as const
const { values, positionals } = parseArgs({
  options: { url: text, ca: text, 'token-file': text, 'state-dir': text, name: text },
  allowPositionals: true,
})
const { url, 'state-dir': stateDirectory, name } = values
const ca = await readFile(values.ca, 'utf8')
const token = async (): Promise<string> => (await readFile(values['token-file'], 'utf8')).trim()
const asked = (method: string): void => console.error(method)

/** Its applications are where no name leads. */
class Elsewhere extends ForwardingBackend {
  override call(request: BackendRequest, events: BackendEvents): BackendCall {
    asked(request.method)
    const application = { ...request.application, internalUrl: 'http://application.invalid/' }
    return super.call({ ...request, application }, events)
  }
}

const KINDS: Readonly<Record<string, () => Promise<string>>> = {
  async unresolving() {
    const backend = new Elsewhere(new NodeBackend())
    const connector = await startConnector({ url, ca, token, stateDirectory, backend })
    await until(() => connector.isReady)
    return connector.identity.connectorId
  },
  declining: () =>
    byHand(5_000, (peer) => ({ id, attempt, method }) => {
      asked(method)
      const decline = encodeDecline({ id, attempt, reason: 'unknown-application' })
      peer.write(
        encodeFrame(FrameType.DECLINE, 0, 0, decline),
        encodeFrame(FrameType.CREDIT, 0, 0, encodeCredit(1)),
      )
    }),
  silent: () =>
    byHand(1_000, (peer) => (offer) => {
      asked(offer.method)
      peer.write(peer.claim(offer).frame)
    }),
}

/** Registers as any connector does, and is a link of its own after that. */
async function byHand(
  offers: number,
  answer: (peer: RawLinkPeer) => RawLinkPeer['offered'],
): Promise<string> {
  const channel = new HttpsControlChannel({ url, ca })
  const identity = await register({
    ...{ channel, token, environment: systemEnvironment() },
    store: new MemoryIdentityStore({ extractable: true }),
    instance: { name, version: '0.1.0' },
  })
  await channel.close()
  const { key = '', cert = '' } = await tlsOptions(identity)
  const peer = await RawLinkPeer.dial({ connectorUrl: url, ca }, { key, cert }, offers)
  peer.offered = answer(peer)
  return identity.connectorId
}

const connectorId = await KINDS[positionals[0]!]!()
console.log(JSON.stringify({ connectorId }))
process.on('SIGTERM', () => process.exit(0))
