/**
 * The calls that a connector may make: control calls, and those of the plain binding.
 *
 * @see spec/PROTOCOL.md, "Control calls over HTTP" and "The plain binding"
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  decodeCredit,
  decodeDecline,
  decodeMessage,
  encodeMessage,
  MAX_CONTROL_BYTES,
  MAX_MESSAGE_BYTES,
} from '../../protocol/internal.ts'
import type { Cloud } from '../cloud.ts'
import type { IdentifiedConnector } from '../connectors/connector-certificate.ts'
import type { PlainLinks } from '../offers/plain-links.ts'
import { active, serving } from './callers.ts'
import { readBody, sendMessage, type BodyBounds } from './connector-replies.ts'
import type { ExchangeCall, PlainExchanges } from './plain-exchanges.ts'
import { helloOf, integer, maxDataBytes } from './plain-query.ts'
import { OfferStream } from './plain-streams.ts'

/** A call by a connector that was identified. */
export interface Call {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly query: URLSearchParams
  /** What the route's pattern captured. */
  readonly parts: readonly string[]
}

/** One kind of call. */
export interface Route {
  readonly method: 'GET' | 'POST'
  readonly path: RegExp
  /** It begins what a service that ends would have to end. */
  readonly opens?: boolean
  serve(call: Call, caller: IdentifiedConnector): void | Promise<void>
}

/** What a control call may bring, and how long it may take. */
export function messageBounds({ origin }: Cloud): BodyBounds {
  return { maxBytes: MAX_MESSAGE_BYTES, withinMs: origin.limits.controlCallMs }
}

function controlBounds({ origin }: Cloud): BodyBounds {
  return { maxBytes: MAX_CONTROL_BYTES, withinMs: origin.limits.controlCallMs }
}

/** What the plain binding is served by. */
export interface PlainParts {
  readonly links: PlainLinks
  readonly exchanges: PlainExchanges
}

/** The control calls, and those of the plain binding. */
export function routesOf(cloud: Cloud, plain: PlainParts | undefined): readonly Route[] {
  return [...(plain === undefined ? [] : plainRoutes(cloud, plain)), ...controlRoutes(cloud)]
}

function controlRoutes(cloud: Cloud): readonly Route[] {
  return [
    {
      method: 'POST',
      path: /^\/configuration$/,
      async serve({ request, response }, caller) {
        const message = decodeMessage(
          'ConfigurationRequest',
          await readBody(request, messageBounds(cloud)),
        )
        sendMessage(
          response,
          encodeMessage(await cloud.configuration.configuration(caller, message)),
        )
      },
    },
    {
      method: 'POST',
      path: /^\/application$/,
      async serve({ request, response }, caller) {
        const message = decodeMessage(
          'ApplicationRequest',
          await readBody(request, messageBounds(cloud)),
        )
        sendMessage(response, encodeMessage(cloud.configuration.application(caller, message)))
      },
    },
  ]
}

function plainRoutes(cloud: Cloud, { links, exchanges }: PlainParts): readonly Route[] {
  const exchangeCall = ({ query, parts }: Call, caller: IdentifiedConnector): ExchangeCall => ({
    claimer: serving(caller),
    id: parts[0]!,
    maxDataBytes: maxDataBytes(query),
  })
  return [
    {
      method: 'POST',
      path: /^\/exchanges\/([0-9a-f]{32})\/response$/,
      serve(call, caller) {
        exchanges.respond(exchangeCall(call, caller), call.request, call.response)
      },
    },
    {
      method: 'POST',
      path: /^\/exchanges\/([0-9a-f]{32})\/body$/,
      serve(call, caller) {
        call.request.resume()
        const attempt = integer(call.query, 'attempt')
        exchanges.pull(exchangeCall(call, caller), attempt, call.response)
      },
    },
    {
      method: 'POST',
      path: /^\/exchanges\/([0-9a-f]{32})\/decline$/,
      async serve({ request, response, parts }, caller) {
        const decline = decodeDecline(await readBody(request, controlBounds(cloud)))
        if (decline.id === parts[0]) cloud.origin.declined(serving(caller), decline)
        response.writeHead(204).end()
      },
    },
    {
      method: 'GET',
      path: /^\/links\/([\w-]{1,128})\/offers$/,
      opens: true,
      serve({ response, query, parts }, caller) {
        const stream = new OfferStream(response, exchanges.turnEnd)
        stream.open(links.stream(active(caller), parts[0]!, helloOf(query), stream))
      },
    },
    {
      method: 'POST',
      path: /^\/links\/([\w-]{1,128})\/credit$/,
      async serve({ request, response, query, parts }, caller) {
        const epoch = query.has('epoch') ? integer(query, 'epoch') : undefined
        const offers = decodeCredit(await readBody(request, controlBounds(cloud)))
        links.grant(serving(caller), parts[0]!, epoch, offers)
        response.writeHead(204).end()
      },
    },
    {
      method: 'POST',
      path: /^\/links\/([\w-]{1,128})\/goodbye$/,
      serve({ request, response, query, parts }, caller) {
        request.resume()
        links.goodbye(serving(caller), parts[0]!, integer(query, 'epoch'))
        response.writeHead(204).end()
      },
    },
  ]
}
