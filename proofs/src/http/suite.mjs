// Runs parts of the npm package `http-cache-tests`, which lies in the folder that the first argument names.
//
//   node suite.mjs FOLDER origin       serves the suite's origin, and prints its address
//   node suite.mjs FOLDER run BASE     runs the tests against a cache, and prints a line of JSON for each
//   node suite.mjs FOLDER published    prints the results of other caches that the package holds, likewise
import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const [folder, task, base] = process.argv.slice(2)
const load = file => import(pathToFileURL(path.join(folder, file)))
const print = value => console.log(JSON.stringify(value))

async function origin () {
  const names = ['config', 'test', 'state']
  const handlers = await Promise.all(names.map(name => load(`server/handle-${name}.mjs`)))
  const answer = (request, response) => {
    const [name, ...rest] = new URL(request.url, 'http://localhost/').pathname.split('/').slice(1)
    const at = names.indexOf(name)
    if (at < 0) return response.writeHead(404).end()
    handlers[at].default(rest, request, response)
  }
  // What a handler has to say of a request is of no interest here.
  console.log = () => {}
  const server = http.createServer(answer)
  server.listen(0, '127.0.0.1', () => process.stdout.write(`http://127.0.0.1:${server.address().port}\n`))
}

async function suites () {
  const files = ['tests/index.mjs', 'tests/surrogate-control.mjs']
  const [all, surrogate] = await Promise.all(files.map(load))
  return [...all.default, surrogate.default]
}

// Prints what the suite itself makes of the results of one cache.
async function judge (cache, results, skipped) {
  const { determineTestResult } = await load('lib/display.mjs')
  const all = await suites()
  for (const suite of all) {
    for (const test of suite.tests.filter(test => !skipped(test))) {
      const said = results[test.id]
      const mark = determineTestResult(all, test.id, results)[2]
      const why = Array.isArray(said) ? said.join(': ') : ''
      print({ cache, suite: suite.id, id: test.id, name: test.name, kind: test.kind ?? 'required', mark, why })
    }
  }
}

async function run () {
  const { default: fetch } = await import(pathToFileURL(path.join(folder, '../node-fetch/lib/index.mjs')))
  const { runTests, getResults } = await load('client/runner.mjs')
  await runTests(await suites(), fetch, false, base)
  await judge('', getResults(), test => test.browser_only === true)
}

async function published () {
  const { default: index } = await load('results/index.mjs')
  for (const cache of index.filter(it => it.type !== 'browser')) {
    const results = JSON.parse(fs.readFileSync(path.join(folder, 'results', cache.file)))
    await judge(`${cache.name} ${cache.version}`, results, test => test.browser_only === true)
  }
}

await { origin, run, published }[task]()
