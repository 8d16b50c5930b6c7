/**
 * The link binding, cloud side: `GET /link` with `Upgrade: app-proxy/1` becomes frames both ways.
 *
 * @see spec/PROTOCOL.md, "The link binding"
 * @module
 */
import { ServerResponse, type IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { Refused } from '../../protocol/internal.ts'
import { LINK_PATH, LINK_UPGRADE, LinkTransport } from '../../runtime/node/link-transport.ts'
import type { ConnectorLinks, LinkOwner } from '../offers/connector-links.ts'
import { sendRefusal } from './connector-replies.ts'
import { closeLingering } from './lingering-close.ts'

/**
 * Whether a call asks for a link.
 *
 * @throws Refused `not-found` for any other upgrade
 */
export function checkLinkCall({ method, url, headers }: IncomingMessage): void {
  const asks = method === 'GET' && url === LINK_PATH && headers.upgrade === LINK_UPGRADE
  if (!asks) throw new Refused('not-found', 'no such call')
}

/**
 * Switches protocols, and drives the link until it or the connection ends.
 *
 * @throws Refused when the connector holds too many links
 */
export function acceptLink(
  links: ConnectorLinks,
  owner: LinkOwner,
  socket: TLSSocket,
  head: Uint8Array,
  now: () => number,
): void {
  if (socket.destroyed) return
  const transport = new LinkTransport(socket, now)
  const { link } = links.open(owner, transport)
  socket.setNoDelay(true)
  socket.setTimeout(0)
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${LINK_UPGRADE}\r\n\r\n`,
  )
  transport.drive(link, head)
}

/**
 * Answers an upgrade with a refusal, as any other call would be. Node looks after such a connection
 * no more, so its end is ours to see to.
 */
export function refuseUpgrade(request: IncomingMessage, socket: TLSSocket, refused: Refused): void {
  const response = new ServerResponse(request)
  response.assignSocket(socket)
  response.on('finish', () => {
    response.detachSocket(socket)
    closeLingering(socket)
  })
  sendRefusal(response, refused)
}
