/** For tests of other packages. */
export { startScriptedBroker, type ScriptedBrokerOptions, type Served } from './scripted-broker.ts'
