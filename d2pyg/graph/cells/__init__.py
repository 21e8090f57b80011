"""The backend "cells": neighbors from near cells, then from neighbors of neighbors."""
