/**
 * Where the connector's control flows are proven: over a channel in memory, and over real TLS. The same cloud answers both.
 *
 * @module
 */
import type { Application } from '../src/cloud/directory/directory-port.ts'
import {
  ConfigurationKeeper,
  MemoryIdentityStore,
  register,
  type ConnectorIdentity,
  type ControlChannel,
} from '../src/connector/index.ts'
import { HttpsControlChannel } from '../src/connector/node/index.ts'
import { CloudInMemory, serialOf } from '../test/connector/cloud-in-memory.ts'
import { CloudOverTls, realTime } from '../test/connector/cloud-over-tls.ts'

export const { environment } = realTime

/** One control call, as the cloud saw it. */
export interface SeenCall {
  readonly path: string
  /** Of the client certificate; undefined: there was none. */
  readonly serial: string | undefined
}

export interface ControlWorld {
  readonly cloud: CloudInMemory
  readonly channel: ControlChannel
  readonly store: MemoryIdentityStore
  readonly seen: readonly SeenCall[]
  close(): Promise<void>
}

export const worlds: Readonly<Record<string, () => Promise<ControlWorld>>> = {
  'in memory': async () => {
    const cloud = await CloudInMemory.create(realTime)
    const seen: SeenCall[] = []
    const note = (path: string, identity?: ConnectorIdentity) =>
      void seen.push({ path, serial: identity && serialOf(identity.certificate) })
    const channel: ControlChannel = {
      register(request, call) {
        note('/registration')
        return cloud.register(request, call)
      },
      configuration(request, call) {
        note('/configuration', call.identity)
        return cloud.configuration(request, call)
      },
      application(request, call) {
        note('/application', call.identity)
        return cloud.application(request, call)
      },
    }
    const store = new MemoryIdentityStore()
    return { cloud, channel, store, seen, close: () => cloud.close() }
  },
  'over TLS': async () => {
    const tls = await CloudOverTls.start()
    const channel = new HttpsControlChannel({ url: tls.url, ca: tls.ca })
    const store = new MemoryIdentityStore({ extractable: true })
    const close = async () => {
      await channel.close()
      await tls.close()
    }
    return { cloud: tls.cloud, channel, store, seen: tls.arrived, close }
  },
}

/** Registers the world's connector with a new token. */
export async function enrol({ cloud, channel, store }: ControlWorld, token?: string) {
  return register({
    channel,
    store,
    environment,
    token: () => token ?? cloud.token(),
    instance: { name: 'branch-office', version: '0.1.0' },
    signal: AbortSignal.timeout(20_000),
  })
}

export function keeperOf({ channel, store }: ControlWorld): Promise<ConfigurationKeeper> {
  return ConfigurationKeeper.open({ channel, store, environment })
}

/** Resolves once the keeper has told `count` events of a type. */
export function told(keeper: ConfigurationKeeper, type: string, count = 1): Promise<void> {
  return new Promise((resolve) => {
    const unsubscribe = keeper.subscribe((event) => {
      if (event.type !== type || --count > 0) return
      unsubscribe()
      resolve()
    })
  })
}

/** An application that the connector's group serves. */
export function publishedApplication(id: string, version = 'v1'): Application {
  return {
    id,
    tenantId: 'contoso',
    name: id,
    version,
    externalUrl: `https://${id}.example/`,
    internalUrl: `http://${id}.internal/`,
    groupId: 'head-office',
    preAuthentication: 'passthrough',
    identityHeaders: {},
    hostHeader: 'internal',
    verifyCertificate: true,
    responseHeadMs: 85_000,
  }
}
