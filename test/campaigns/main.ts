/**
 * Runs a campaign and records what it found.
 *
 *     npm run campaign                   lists them
 *     npm run campaign -- NAME           runs test/campaigns/NAME.ts
 *     npm run campaign -- NAME --record  … and writes test/campaigns/recorded/NAME.json
 *
 * It ends with code 1 when a figure is not good enough; nothing is recorded then, nor where files differ from the commit.
 */
import { readdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Campaign } from './campaign.ts'
import { recordOf, save, uncommitted } from './record.ts'

const HERE = new URL('./', import.meta.url)
const NOT_CAMPAIGNS = ['campaign.ts', 'main.ts', 'record.ts']

const names = readdirSync(HERE)
  .filter((file) => /^[a-z0-9-]+\.ts$/.test(file) && !NOT_CAMPAIGNS.includes(file))
  .map((file) => file.slice(0, -'.ts'.length))

const { values, positionals } = parseArgs({
  options: { record: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const [name, ...more] = positionals
if (name === undefined || more.length > 0 || !names.includes(name)) {
  console.error(`usage: npm run campaign -- NAME [--record]\ncampaigns: ${names.join(', ')}`)
  process.exit(name === undefined ? 0 : 2)
}
if (values.record && uncommitted() !== '') {
  console.error('commit first: what is recorded belongs to a commit')
  process.exit(2)
}

const { campaign } = (await import(new URL(`${name}.ts`, HERE).href)) as { campaign: Campaign }
const missing = campaign.missing?.()
if (missing !== undefined) {
  console.error(`${name} cannot run here: ${missing}`)
  process.exit(2)
}
console.log(campaign.title)
const startedAt = new Date()
const figures = await campaign.run((line) => console.log(`  ${line}`))
for (const { name, value, wanted, isGood } of figures)
  console.log(`${isGood ? 'good' : 'NOT GOOD'}  ${name}: ${value} (wanted: ${wanted})`)
const isGood = figures.length > 0 && figures.every((figure) => figure.isGood)
if (isGood && values.record) {
  save(name, recordOf(campaign.title, startedAt, figures))
  console.log(`recorded/${name}.json`)
}
process.exit(isGood ? 0 : 1)
