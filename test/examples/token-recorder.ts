/**
 * Loaded into a process before anything else: appends what its `fetch` posts, and every answer with a token in it, to the file that `TOKEN_RECORD` names. Nothing else of
 * the process is changed. So a test knows the secrets that pass between a cloud and its issuer, which no user ever sees.
 */
import { appendFileSync } from 'node:fs'

const file = process.env['TOKEN_RECORD']
if (file !== undefined) {
  const plain = globalThis.fetch
  globalThis.fetch = async (input, init) => {
    const posted = init?.body
    if (posted !== undefined && posted !== null && typeof posted !== 'object')
      appendFileSync(file, `${JSON.stringify({ posted })}\n`)
    if (posted instanceof URLSearchParams)
      appendFileSync(file, `${JSON.stringify({ posted: posted.toString() })}\n`)
    const authorization = new Headers(init?.headers).get('authorization')
    if (authorization !== null) appendFileSync(file, `${JSON.stringify({ authorization })}\n`)
    const response = await plain(input, init)
    const answered = await response.clone().text()
    if (answered.includes('_token"')) appendFileSync(file, `${JSON.stringify({ answered })}\n`)
    return response
  }
}
