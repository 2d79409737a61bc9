# SPDX-License-Identifier: Apache-2.0
"""The demo of Covey. Everything is done as a user would do it: by the command line `covey`, and by
covey-sim's control socket where the world itself has to change. No database is ever opened."""
